-- $1: rows, as a JSON array of arrays.
INSERT INTO identities (id, user_id, provider, issuer, subject, email, created_at, last_used_at)
SELECT
    unhex(value ->> 0),
    unhex(value ->> 1),
    value ->> 2,
    value ->> 3,
    value ->> 4,
    value ->> 5,
    value ->> 6,
    value ->> 7
FROM json_each($1)
WHERE true
ORDER BY key
ON CONFLICT (issuer, subject) DO NOTHING
RETURNING id AS "id!: Uuid"
