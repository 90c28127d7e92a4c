-- $1: ids of users in hexadecimal, as a JSON array.
SELECT
    id AS "id: Uuid",
    user_id AS "user_id!: Uuid",
    name,
    scopes,
    secret_hash,
    expires_at,
    created_at,
    rotated_at,
    last_used_at,
    version
FROM api_keys
WHERE user_id IN (SELECT unhex(value) FROM json_each($1))
