-- $1: now.
SELECT id AS "id: Uuid"
FROM webhooks INDEXED BY webhooks_by_created
WHERE status = 'active'
    AND COALESCE(paused_until, 0) <= $1
    AND EXISTS (
        SELECT 1
        FROM deliveries INDEXED BY deliveries_by_due
        WHERE deliveries.webhook_id = webhooks.id
            AND deliveries.state = 'pending'
            AND deliveries.due_at IS NOT NULL
            AND deliveries.due_at <= $1
    )
ORDER BY created_at, id
