-- $1: rows, as a JSON array of arrays; $2: when they are set.
INSERT INTO passwords (user_id, hash, changed_at)
SELECT (value ->> 0)::uuid, value ->> 1, $2
FROM jsonb_array_elements($1::text::jsonb) AS rows (value)
