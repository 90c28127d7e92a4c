-- $1, $2: the place before which the page begins; $3: limit; $4: offset.
SELECT
    id,
    url,
    description,
    types,
    status,
    since_position,
    failures,
    paused_until,
    created_by_kind,
    created_by_id,
    disabled_reason,
    created_at,
    updated_at,
    version
FROM webhooks
WHERE (created_at, id) < ($1, $2)
ORDER BY created_at DESC, id DESC
LIMIT $3 OFFSET $4
