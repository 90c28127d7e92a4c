SELECT
    id,
    name,
    description,
    permissions,
    created_at,
    updated_at,
    version
FROM roles
WHERE id = $1
