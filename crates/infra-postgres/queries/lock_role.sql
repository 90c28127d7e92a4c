SELECT
    id,
    name,
    description,
    permissions,
    second_factor,
    requires_passkey AS "requires_passkey: bool",
    created_at,
    updated_at,
    version
FROM roles
WHERE id = $1
FOR UPDATE
