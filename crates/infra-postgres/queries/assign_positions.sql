-- Moves pending events into the log and notifies the nodes, if the log still ends where it did when they were read.
-- Otherwise another caller was faster: nothing changes, and no row is returned.
-- $1: rows, as a JSON array of arrays; $2: the sequence numbers that they had; $3: the last position, $4: its hash;
-- $5: where the log ended, $6: the hash there; $7: channels, $8: what to send on each.
WITH moved AS (
    UPDATE event_log SET head_position = $3, head_hash = $4
    WHERE id = 1 AND head_position = $5 AND head_hash = $6
    RETURNING id
), added AS (
    INSERT INTO events (
        position, id, type, subject, actor_type, actor_id, credential_type, credential_id, address, user_agent,
        occurred_at, data, hash, form
    )
    SELECT
        (value ->> 0)::bigint,
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
        value ->> 11,
        decode(value ->> 12, 'hex'),
        (value ->> 13)::bigint
    FROM moved
    CROSS JOIN jsonb_array_elements($1::text::jsonb) AS rows (value)
), removed AS (
    DELETE FROM pending_events USING moved WHERE sequence = ANY ($2)
)
SELECT pg_notify(notices.channel, notices.payload)
FROM moved
CROSS JOIN unnest($7::text[], $8::text[]) AS notices (channel, payload)
