DELETE FROM totp_factors
WHERE user_id = $1
    AND confirmed_at IS NULL
