-- $1: ids of users in hexadecimal, as a JSON array.
SELECT
    id AS "id: Uuid",
    user_id AS "user_id: Uuid",
    user_handle,
    credential_id,
    credential,
    name,
    aaguid AS "aaguid: Uuid",
    transports,
    backup_eligible AS "backup_eligible: bool",
    backed_up AS "backed_up: bool",
    counter,
    created_at,
    last_used_at,
    rp_id,
    kind
FROM passkeys
WHERE user_id IN (SELECT unhex(value) FROM json_each($1))
