-- $1: now. $2: the largest count.
SELECT
    count(*) AS "count!: i64",
    (
        SELECT min(
            (
                SELECT min(deliveries.due_at)
                FROM deliveries INDEXED BY deliveries_by_due
                WHERE deliveries.webhook_id = webhooks.id
                    AND deliveries.state = 'pending'
                    AND deliveries.due_at IS NOT NULL
                    AND deliveries.due_at <= $1
            )
        )
        FROM webhooks INDEXED BY webhooks_by_created
        WHERE webhooks.status = 'active'
    ) AS "oldest: i64"
FROM (
    SELECT 1
    FROM webhooks INDEXED BY webhooks_by_created
    JOIN deliveries INDEXED BY deliveries_by_due ON deliveries.webhook_id = webhooks.id
    WHERE webhooks.status = 'active'
        AND deliveries.state = 'pending'
        AND deliveries.due_at IS NOT NULL
        AND deliveries.due_at <= $1
    LIMIT $2
)
