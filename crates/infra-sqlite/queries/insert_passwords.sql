-- $1: rows, as a JSON array of arrays; $2: when they are set.
INSERT INTO passwords (user_id, hash, changed_at)
SELECT unhex(value ->> 0), value ->> 1, $2
FROM json_each($1)
