-- $1: now.
SELECT id
FROM webhooks
WHERE status = 'active'
    AND COALESCE(paused_until, 0) <= $1
    AND EXISTS (
        SELECT 1
        FROM deliveries
        WHERE deliveries.webhook_id = webhooks.id
            AND deliveries.state = 'pending'
            AND deliveries.due_at IS NOT NULL
            AND deliveries.due_at <= $1
    )
ORDER BY created_at, id
