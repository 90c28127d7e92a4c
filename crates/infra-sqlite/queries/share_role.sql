SELECT
    id AS "id: Uuid",
    name,
    description,
    permissions,
    second_factor,
    created_at,
    updated_at,
    version
FROM roles
WHERE name = $1
