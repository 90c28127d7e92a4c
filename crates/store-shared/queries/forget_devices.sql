-- $1: user; $2: now.
-- A sign-in under a clock that has been set back since is later than now.
UPDATE users
SET devices_since = CASE WHEN last_sign_in_at >= $2 THEN last_sign_in_at + 1 ELSE $2 END
WHERE id = $1
