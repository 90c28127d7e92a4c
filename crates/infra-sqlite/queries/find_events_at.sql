-- $1: positions, as a JSON array.
SELECT
    position AS "position!", id AS "id: Uuid", type AS kind, subject AS about, actor_type AS actor_kind, actor_id AS "actor_id: Uuid",
    credential_type AS credential_kind, credential_id AS "credential_id: Uuid", address, user_agent, occurred_at, data, hash,
    form, erased_origin, erased_data
FROM events
WHERE position IN (SELECT value FROM json_each($1))
ORDER BY position
