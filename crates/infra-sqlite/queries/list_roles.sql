-- $1, $2: the place before which the page begins; $3: limit; $4: offset.
SELECT
    id AS "id: Uuid",
    name,
    description,
    permissions,
    second_factor,
    requires_passkey AS "requires_passkey: bool",
    created_at,
    updated_at,
    version
FROM roles INDEXED BY roles_by_created
WHERE (created_at, id) < ($1, $2)
ORDER BY created_at DESC, id DESC
LIMIT $3 OFFSET $4
