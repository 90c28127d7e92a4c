SELECT
    id AS "id: Uuid",
    user_id AS "user_id: Uuid",
    provider,
    issuer,
    subject,
    email,
    created_at,
    last_used_at
FROM identities
WHERE user_id = $1
ORDER BY created_at, id
LIMIT $2
