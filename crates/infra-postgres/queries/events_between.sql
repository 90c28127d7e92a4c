-- $1: after this position; $2: up to this one; $3: how many at most.
SELECT
    position, id, type AS kind, subject AS about, actor_type AS actor_kind, actor_id,
    credential_type AS credential_kind, credential_id, address, user_agent, occurred_at, data, hash
FROM events
WHERE position > $1
    AND position <= $2
ORDER BY position
LIMIT $3
