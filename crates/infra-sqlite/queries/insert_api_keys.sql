-- $1: rows, as a JSON array of arrays.
INSERT INTO api_keys (id, user_id, name, scopes, secret_hash, expires_at, created_at, rotated_at, last_used_at, version)
SELECT
    unhex(value ->> 0),
    unhex(value ->> 1),
    value ->> 2,
    value ->> 3,
    unhex(value ->> 4),
    value ->> 5,
    value ->> 6,
    value ->> 7,
    value ->> 8,
    value ->> 9
FROM json_each($1)
WHERE true
ORDER BY key
ON CONFLICT (id) DO NOTHING
RETURNING id AS "id!: Uuid"
