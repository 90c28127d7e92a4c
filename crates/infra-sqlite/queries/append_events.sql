-- $1: rows, as a JSON array of arrays; $2: the hash that the first of them follows on. Nothing is written when the log
-- ends with another by now.
INSERT INTO events (
    position, id, type, subject, actor_type, actor_id, credential_type, credential_id, address, user_agent, occurred_at,
    data, hash, form
)
SELECT
    value ->> 0,
    unhex(value ->> 1),
    value ->> 2,
    value ->> 3,
    value ->> 4,
    unhex(value ->> 5),
    value ->> 6,
    unhex(value ->> 7),
    value ->> 8,
    value ->> 9,
    value ->> 10,
    value ->> 11,
    unhex(value ->> 12),
    value ->> 13
FROM json_each($1)
WHERE (SELECT head_hash FROM event_log) = $2
ORDER BY key
