-- $1: now. $2: the largest count.
SELECT
    count(*) AS "count!",
    (
        SELECT min(oldest.due_at)
        FROM (
            SELECT webhooks.id
            FROM webhooks
            WHERE webhooks.status = 'active'
            ORDER BY webhooks.created_at DESC, webhooks.id DESC
        ) AS active
        CROSS JOIN LATERAL (
            SELECT deliveries.due_at
            FROM deliveries
            WHERE deliveries.webhook_id = active.id
                AND deliveries.state = 'pending'
                AND deliveries.due_at IS NOT NULL
                AND deliveries.due_at <= $1
            ORDER BY deliveries.due_at
            LIMIT 1
        ) AS oldest
    ) AS "oldest"
FROM (
    SELECT 1
    FROM webhooks
    JOIN deliveries ON deliveries.webhook_id = webhooks.id
    WHERE webhooks.status = 'active'
        AND deliveries.state = 'pending'
        AND deliveries.due_at IS NOT NULL
        AND deliveries.due_at <= $1
    LIMIT $2
) AS due
