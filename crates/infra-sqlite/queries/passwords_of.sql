-- $1: ids of users in hexadecimal, as a JSON array.
SELECT
    user_id AS "user_id: Uuid",
    hash
FROM passwords
WHERE user_id IN (SELECT unhex(value) FROM json_each($1))
