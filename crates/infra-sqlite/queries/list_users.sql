-- $1, $2: the place before which the page begins; $3: created after; $4: limit; $5: offset.
SELECT
    id AS "id: Uuid",
    email,
    email_verified AS "email_verified: bool",
    name,
    role,
    status,
    created_at,
    updated_at,
    last_sign_in_at,
    version,
    locale,
    attributes,
    app_attributes,
    delete_after,
    status_before_deletion
FROM users INDEXED BY users_by_created
WHERE created_at > $3
    AND (created_at, id) < ($1, $2)
ORDER BY created_at DESC, id DESC
LIMIT $4 OFFSET $5
