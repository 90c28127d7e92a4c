INSERT INTO webhooks (
    id, url, description, types, status, since_position, sealed_secret, sealed_previous_secret, previous_until, failures,
    paused_until, created_by_kind, created_by_id, disabled_reason, created_at, updated_at, version
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
