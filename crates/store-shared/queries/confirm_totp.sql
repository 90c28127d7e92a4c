-- $1: user; $2: when it was made; $3: the step of the code; $4: when.
UPDATE totp_factors
SET confirmed_at = $4,
    last_step = $3
WHERE user_id = $1
    AND created_at = $2
    AND confirmed_at IS NULL
