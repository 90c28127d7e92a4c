-- $1: ids of users, as a JSON array.
SELECT
    user_id,
    sealed_secret,
    created_at,
    confirmed_at,
    last_step
FROM totp_factors
WHERE user_id = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::text::jsonb) AS ids (value)))
