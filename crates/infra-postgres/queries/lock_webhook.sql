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
WHERE id = $1
FOR UPDATE
