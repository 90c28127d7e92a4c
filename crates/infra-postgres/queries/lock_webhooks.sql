-- In the order of their ids, so that two who lock them all do not wait for each other.
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
ORDER BY id
FOR UPDATE
