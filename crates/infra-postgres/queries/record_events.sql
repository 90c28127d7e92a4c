-- $1: rows, as a JSON array of arrays; $2: a channel and $3: what to tell there when it is not empty. Both in one round trip, at the very end of
-- a transaction.
WITH recorded AS (
    INSERT INTO pending_events (
        id, type, subject, actor_type, actor_id, credential_type, credential_id, address, user_agent, occurred_at, data
    )
    SELECT
        (value ->> 1)::uuid,
        value ->> 2,
        value ->> 3,
        value ->> 4,
        (value ->> 5)::uuid,
        value ->> 6,
        (value ->> 7)::uuid,
        value ->> 8,
        value ->> 9,
        (value ->> 10)::bigint,
        value ->> 11
    FROM json_array_elements($1::text::json) WITH ORDINALITY AS rows (value, at)
    ORDER BY at
    RETURNING sequence
)
SELECT pg_notify($2, $3)
FROM (SELECT count(*) FROM recorded) AS counted
WHERE $3 <> ''
