-- $1: ids of users, as a JSON array.
SELECT
    id,
    user_id,
    provider,
    issuer,
    subject,
    email,
    created_at,
    last_used_at
FROM identities
WHERE user_id = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::text::jsonb) AS ids (value)))
