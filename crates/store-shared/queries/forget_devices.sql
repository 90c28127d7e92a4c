-- $1: user; $2: now.
-- What was forgotten stays so, and a sign-in under a clock that has been set back since is later than now.
UPDATE users
SET devices_since = CASE
    WHEN devices_since > $2 AND (last_sign_in_at IS NULL OR devices_since > last_sign_in_at) THEN devices_since
    WHEN last_sign_in_at >= $2 THEN last_sign_in_at + 1
    ELSE $2
END
WHERE id = $1
