-- $1: now. A look at the index for each webhook, however many deliveries are due.
SELECT webhooks.id
FROM webhooks
CROSS JOIN LATERAL (
    SELECT 1
    FROM deliveries
    WHERE deliveries.webhook_id = webhooks.id
        AND deliveries.state = 'pending'
        AND deliveries.due_at IS NOT NULL
        AND deliveries.due_at <= $1
    ORDER BY deliveries.due_at
    LIMIT 1
) AS due
WHERE webhooks.status = 'active'
    AND COALESCE(webhooks.paused_until, 0) <= $1
ORDER BY webhooks.created_at, webhooks.id
