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
    app_attributes
FROM users
WHERE id = $1
FOR UPDATE
