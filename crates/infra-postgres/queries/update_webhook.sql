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
    version = $10
WHERE id = $1
