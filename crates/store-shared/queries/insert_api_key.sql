INSERT INTO api_keys (
    id, user_id, service_account_id, name, scopes, secret_hash, expires_at,
    created_at, rotated_at, last_used_at, version
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
