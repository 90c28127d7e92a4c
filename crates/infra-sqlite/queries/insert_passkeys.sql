-- $1: rows, as a JSON array of arrays.
INSERT INTO passkeys (
    id, user_id, user_handle, credential_id, credential, name, aaguid, transports, backup_eligible,
    backed_up, counter, created_at, last_used_at, rp_id, kind
)
SELECT
    unhex(value ->> 0),
    unhex(value ->> 1),
    unhex(value ->> 2),
    unhex(value ->> 3),
    value ->> 4,
    value ->> 5,
    unhex(value ->> 6),
    value ->> 7,
    value ->> 8,
    value ->> 9,
    value ->> 10,
    value ->> 11,
    value ->> 12,
    value ->> 13,
    value ->> 14
FROM json_each($1)
WHERE true
ORDER BY key
ON CONFLICT (credential_id) DO NOTHING
RETURNING id AS "id!: Uuid"
