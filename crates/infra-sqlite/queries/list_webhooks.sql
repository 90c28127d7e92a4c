-- $1, $2: the place before which the page begins; $3: limit; $4: offset.
SELECT
    id AS "id: Uuid",
    url,
    description,
    types,
    status,
    since_position,
    failures,
    paused_until,
    created_by_kind,
    created_by_id AS "created_by_id: Uuid",
    disabled_reason,
    created_at,
    updated_at,
    version
FROM webhooks INDEXED BY webhooks_by_created
WHERE (created_at, id) < ($1, $2)
ORDER BY created_at DESC, id DESC
LIMIT $3 OFFSET $4
