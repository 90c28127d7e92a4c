-- $1: now.
SELECT id AS "id: Uuid"
FROM webhooks INDEXED BY webhooks_by_created
WHERE EXISTS (
    SELECT 1
    FROM deliveries INDEXED BY deliveries_by_patience
    WHERE deliveries.webhook_id = webhooks.id
        AND deliveries.state = 'pending'
        AND deliveries.gives_up_at <= $1
)
ORDER BY created_at, id
