-- $1, $2: the place before which the page begins; $3: limit; $4: offset; $5: user.
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
FROM api_keys INDEXED BY api_keys_by_user
WHERE user_id = $5
    AND (created_at, id) < ($1, $2)
ORDER BY created_at DESC, id DESC
LIMIT $3 OFFSET $4
