SELECT
    id AS "id: Uuid",
    name,
    description,
    role,
    status,
    created_at,
    updated_at,
    version
FROM service_accounts
WHERE id = $1
