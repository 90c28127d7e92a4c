-- $1: ids of users, as a JSON array.
SELECT
    id,
    user_id,
    user_handle,
    credential_id,
    credential,
    name,
    aaguid,
    transports,
    backup_eligible,
    backed_up,
    counter,
    created_at,
    last_used_at,
    rp_id,
    kind
FROM passkeys
WHERE user_id = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text($1::text::jsonb) AS ids (value)))
