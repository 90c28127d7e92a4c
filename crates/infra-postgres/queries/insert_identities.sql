-- $1: rows, as a JSON array of arrays.
INSERT INTO identities (id, user_id, provider, issuer, subject, email, created_at, last_used_at)
SELECT
    (value ->> 0)::uuid,
    (value ->> 1)::uuid,
    value ->> 2,
    value ->> 3,
    value ->> 4,
    value ->> 5,
    (value ->> 6)::bigint,
    (value ->> 7)::bigint
FROM jsonb_array_elements($1::text::jsonb) WITH ORDINALITY AS rows (value, at)
ORDER BY at
ON CONFLICT (issuer, subject) DO NOTHING
RETURNING id
