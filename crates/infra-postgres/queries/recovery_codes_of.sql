-- $1: ids of users, as a JSON array.
SELECT
    user_id,
    code_hash
FROM recovery_codes
WHERE user_id = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::text::jsonb) AS ids (value)))
