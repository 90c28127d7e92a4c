-- $1: rows, as a JSON array of arrays.
INSERT INTO passkeys (
    id, user_id, user_handle, credential_id, credential, name, aaguid, transports, backup_eligible,
    backed_up, counter, created_at, last_used_at, rp_id, kind
)
SELECT
    (value ->> 0)::uuid,
    (value ->> 1)::uuid,
    decode(value ->> 2, 'hex'),
    decode(value ->> 3, 'hex'),
    value ->> 4,
    value ->> 5,
    (value ->> 6)::uuid,
    value ->> 7,
    (value ->> 8)::boolean,
    (value ->> 9)::boolean,
    (value ->> 10)::bigint,
    (value ->> 11)::bigint,
    (value ->> 12)::bigint,
    value ->> 13,
    value ->> 14
FROM jsonb_array_elements($1::text::jsonb) WITH ORDINALITY AS rows (value, at)
ORDER BY at
ON CONFLICT (credential_id) DO NOTHING
RETURNING id
