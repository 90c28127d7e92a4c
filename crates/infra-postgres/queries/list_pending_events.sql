SELECT
    sequence AS position, id, type AS kind, subject AS about, actor_type AS actor_kind, actor_id,
    credential_type AS credential_kind, credential_id, address, user_agent, occurred_at, data, ''::bytea AS "hash!"
FROM pending_events
ORDER BY sequence
LIMIT $1
