-- $1: now. $2: the largest count.
SELECT count(*) AS "count!", min(due_at) AS "oldest"
FROM (
    SELECT deliveries.due_at
    FROM webhooks
    JOIN deliveries ON deliveries.webhook_id = webhooks.id
    WHERE webhooks.status = 'active'
        AND deliveries.state = 'pending'
        AND deliveries.due_at IS NOT NULL
        AND deliveries.due_at <= $1
    LIMIT $2
) AS due
