-- $1: ids of users, as a JSON array.
SELECT
    id,
    user_id AS "user_id!",
    name,
    scopes,
    secret_hash,
    expires_at,
    created_at,
    rotated_at,
    last_used_at,
    version
FROM api_keys
WHERE user_id = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::text::jsonb) AS ids (value)))
