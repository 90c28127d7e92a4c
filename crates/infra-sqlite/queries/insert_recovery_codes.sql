-- $1: rows, as a JSON array of arrays.
INSERT INTO recovery_codes (user_id, code_hash)
SELECT
    unhex(value ->> 0),
    unhex(value ->> 1)
FROM json_each($1)
WHERE true
ORDER BY key
ON CONFLICT (user_id, code_hash) DO NOTHING
