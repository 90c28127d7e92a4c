-- $1: after this position; $2: up to this one; $3: how many at most.
SELECT
    position AS "position!", id AS "id: Uuid", type AS kind, subject AS about, actor_type AS actor_kind, actor_id AS "actor_id: Uuid",
    credential_type AS credential_kind, credential_id AS "credential_id: Uuid", address, user_agent, occurred_at, data, hash,
    form, erased_origin, erased_data
FROM events
WHERE position > $1
    AND position <= $2
ORDER BY position
LIMIT $3
