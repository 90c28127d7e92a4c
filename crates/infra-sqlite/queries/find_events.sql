-- $1: after this position; $2: up to this one; $3: how many at most; $4: types, or nothing; $5, $6: from and before
-- which moment; $7: whom it concerns, or nothing; $8: by whom, or nothing.
SELECT
    position AS "position!", id AS "id: Uuid", type AS kind, subject AS about, actor_type AS actor_kind, actor_id AS "actor_id: Uuid",
    credential_type AS credential_kind, credential_id AS "credential_id: Uuid", address, user_agent, occurred_at, data, hash,
    form, erased_origin, erased_data
FROM events
WHERE position > $1
    AND position <= $2
    AND ($4 IS NULL OR type IN (SELECT value FROM json_each($4)))
    AND occurred_at >= $5
    AND occurred_at < $6
    AND ($7 IS NULL OR subject = $7)
    AND ($8 IS NULL OR actor_id = $8)
ORDER BY position
LIMIT $3
