-- $1: rows, as a JSON array of arrays.
INSERT INTO recovery_codes (user_id, code_hash)
SELECT
    (value ->> 0)::uuid,
    decode(value ->> 1, 'hex')
FROM jsonb_array_elements($1::text::jsonb) WITH ORDINALITY AS rows (value, at)
ORDER BY at
ON CONFLICT (user_id, code_hash) DO NOTHING
