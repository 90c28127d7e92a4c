SELECT
    id AS "id: Uuid",
    url,
    description,
    types,
    status,
    since_position,
    failures,
    paused_until,
    created_at,
    updated_at,
    version
FROM webhooks
ORDER BY id
