-- $1: now.
SELECT id
FROM webhooks
WHERE EXISTS (
    SELECT 1
    FROM deliveries
    WHERE deliveries.webhook_id = webhooks.id
        AND deliveries.state = 'pending'
        AND deliveries.gives_up_at <= $1
)
ORDER BY created_at, id
