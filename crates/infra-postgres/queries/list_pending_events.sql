-- The first pending events, where the log ends, and the last pending event: all as of one moment. $1: how many at most.
SELECT
    sequence, id, type AS kind, subject AS about, actor_type AS actor_kind, actor_id,
    credential_type AS credential_kind, credential_id, address, user_agent, occurred_at, data, changes,
    (SELECT head_position FROM event_log WHERE id = 1) AS "head_position!",
    (SELECT head_hash FROM event_log WHERE id = 1) AS "head_hash!",
    (SELECT max(sequence) FROM pending_events) AS "last_sequence!"
FROM pending_events
ORDER BY sequence
LIMIT $1
