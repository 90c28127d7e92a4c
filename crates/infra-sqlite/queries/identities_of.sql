-- $1: ids of users in hexadecimal, as a JSON array.
SELECT
    id AS "id: Uuid",
    user_id AS "user_id: Uuid",
    provider,
    issuer,
    subject,
    email,
    created_at,
    last_used_at
FROM identities
WHERE user_id IN (SELECT unhex(value) FROM json_each($1))
