SELECT
    id,
    user_id,
    service_account_id,
    name,
    scopes,
    expires_at,
    created_at,
    rotated_at,
    last_used_at,
    version
FROM api_keys
WHERE id = $1
