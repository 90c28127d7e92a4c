INSERT INTO totp_factors (user_id, sealed_secret, created_at, last_step)
VALUES ($1, $2, $3, 0)
ON CONFLICT (user_id) DO UPDATE SET
    sealed_secret = excluded.sealed_secret,
    created_at = excluded.created_at,
    last_step = 0
WHERE totp_factors.confirmed_at IS NULL
