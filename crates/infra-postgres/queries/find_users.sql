-- $1: ids, as a JSON array.
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
WHERE id = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::text::jsonb) AS ids (value)))
