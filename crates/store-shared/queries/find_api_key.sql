SELECT
    id AS "id: Uuid",
    user_id AS "user_id: Uuid",
    service_account_id AS "service_account_id: Uuid",
    name,
    scopes,
    expires_at,
    created_at,
    rotated_at,
    last_used_at,
    version
FROM api_keys
WHERE id = $1
