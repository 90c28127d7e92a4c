SELECT sealed_secret, created_at, confirmed_at, last_step
FROM totp_factors
WHERE user_id = $1
