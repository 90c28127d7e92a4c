-- $1: user; $2: now. It does not become earlier when the clock is set back: devices are forgotten up to it.
UPDATE users
SET last_sign_in_at = CASE WHEN last_sign_in_at > $2 THEN last_sign_in_at ELSE $2 END
WHERE id = $1
