UPDATE totp_factors
SET last_step = $2
WHERE user_id = $1
    AND last_step < $2
    AND confirmed_at IS NOT NULL
