-- $1: after this position; $2: up to this one; $3: how many at most; $4: types, or nothing; $5, $6: from and before
-- which moment; $7: whom it concerns; $8: by whom, or nothing.
SELECT
    position, id, type AS kind, subject AS about, actor_type AS actor_kind, actor_id,
    credential_type AS credential_kind, credential_id, address, user_agent, occurred_at, data, hash,
    form, erased_origin, erased_data
FROM events
WHERE subject = $7
    AND position > $1
    AND position <= $2
    AND ($4::text[] IS NULL OR type = ANY ($4))
    AND occurred_at >= $5
    AND occurred_at < $6
    AND ($8::uuid IS NULL OR actor_id = $8)
-- So that the order is that of one index only.
ORDER BY subject, position
LIMIT $3
