-- $1: rows, as a JSON array of arrays.
INSERT INTO api_keys (id, user_id, name, scopes, secret_hash, expires_at, created_at, rotated_at, last_used_at, version)
SELECT
    (value ->> 0)::uuid,
    (value ->> 1)::uuid,
    value ->> 2,
    value ->> 3,
    decode(value ->> 4, 'hex'),
    (value ->> 5)::bigint,
    (value ->> 6)::bigint,
    (value ->> 7)::bigint,
    (value ->> 8)::bigint,
    (value ->> 9)::bigint
FROM jsonb_array_elements($1::text::jsonb) WITH ORDINALITY AS rows (value, at)
ORDER BY at
ON CONFLICT (id) DO NOTHING
RETURNING id
