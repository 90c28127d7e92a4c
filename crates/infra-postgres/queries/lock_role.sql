SELECT
    id,
    name,
    description,
    permissions,
    second_factor,
    created_at,
    updated_at,
    version
FROM roles
WHERE id = $1
FOR UPDATE
