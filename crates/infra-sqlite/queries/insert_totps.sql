-- $1: rows, as a JSON array of arrays.
INSERT INTO totp_factors (user_id, sealed_secret, created_at, confirmed_at, last_step)
SELECT
    unhex(value ->> 0),
    unhex(value ->> 1),
    value ->> 2,
    value ->> 3,
    value ->> 4
FROM json_each($1)
