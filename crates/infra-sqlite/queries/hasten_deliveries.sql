-- $1: now; $2: after when none is due.
UPDATE deliveries
SET due_at = $1
WHERE id IN (
    SELECT late.id
    FROM webhooks
    CROSS JOIN deliveries AS late INDEXED BY deliveries_by_due
        ON late.webhook_id = webhooks.id
        AND late.state = 'pending'
        AND late.due_at IS NOT NULL
        AND late.due_at > $2
)
