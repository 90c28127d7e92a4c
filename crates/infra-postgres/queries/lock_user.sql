SELECT
    id,
    email,
    email_verified,
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
WHERE id = $1
FOR UPDATE
