-- $1: ids of users in hexadecimal, as a JSON array.
SELECT
    user_id AS "user_id: Uuid",
    sealed_secret,
    created_at,
    confirmed_at,
    last_step
FROM totp_factors
WHERE user_id IN (SELECT unhex(value) FROM json_each($1))
