-- $1: rows, as a JSON array of arrays.
INSERT INTO totp_factors (user_id, sealed_secret, created_at, confirmed_at, last_step)
SELECT
    (value ->> 0)::uuid,
    decode(value ->> 1, 'hex'),
    (value ->> 2)::bigint,
    (value ->> 3)::bigint,
    (value ->> 4)::bigint
FROM jsonb_array_elements($1::text::jsonb) AS rows (value)
