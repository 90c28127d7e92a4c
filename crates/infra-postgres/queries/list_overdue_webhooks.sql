-- $1: now. A look at the index for each webhook.
SELECT webhooks.id
FROM webhooks
CROSS JOIN LATERAL (
    SELECT 1
    FROM deliveries
    WHERE deliveries.webhook_id = webhooks.id
        AND deliveries.state = 'pending'
        AND deliveries.gives_up_at <= $1
    ORDER BY deliveries.gives_up_at
    LIMIT 1
) AS overdue
ORDER BY webhooks.created_at, webhooks.id
