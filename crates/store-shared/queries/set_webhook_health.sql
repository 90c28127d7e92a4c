UPDATE webhooks
SET failures = $2,
    paused_until = $3
WHERE id = $1
