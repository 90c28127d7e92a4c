-- $1: ids in hexadecimal, as a JSON array.
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
FROM users
WHERE id IN (SELECT unhex(value) FROM json_each($1))
