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
FROM webhooks
WHERE id = $1
