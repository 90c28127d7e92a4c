-- $1: now; $2: after when none is due. A look at the index for each webhook, however many deliveries there are.
UPDATE deliveries
SET due_at = $1
WHERE id = ANY (ARRAY(
    SELECT late.id
    FROM webhooks
    CROSS JOIN LATERAL (
        SELECT id
        FROM deliveries
        WHERE deliveries.webhook_id = webhooks.id
            AND deliveries.state = 'pending'
            AND deliveries.due_at IS NOT NULL
            AND deliveries.due_at > $2
    ) AS late
))
