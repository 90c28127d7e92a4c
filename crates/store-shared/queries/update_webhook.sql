UPDATE webhooks
SET
    url = $2,
    description = $3,
    types = $4,
    status = $5,
    since_position = $6,
    failures = $7,
    paused_until = $8,
    updated_at = $9,
    version = $10,
    created_by_kind = $11,
    created_by_id = $12,
    disabled_reason = $13
WHERE id = $1
