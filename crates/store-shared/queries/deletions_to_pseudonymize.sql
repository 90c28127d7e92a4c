-- $1: before which moment; $2, $3: behind the deletion of this moment and position; $4: how many at most.
SELECT
    position AS "position!", id AS "id: Uuid", type AS kind, subject AS about, actor_type AS actor_kind, actor_id AS "actor_id: Uuid",
    credential_type AS credential_kind, credential_id AS "credential_id: Uuid", address, user_agent, occurred_at, data, hash,
    form, erased_origin, erased_data
FROM events
WHERE type = 'user.deleted'
    AND form = 3
    AND erased_data IS NULL
    AND occurred_at < $1
    AND (occurred_at, position) > ($2, $3)
ORDER BY occurred_at, position
LIMIT $4
