-- $1: up to how many are counted; $2: webhook.
SELECT count(*) AS "count!: i64"
FROM (
    SELECT 1
    FROM deliveries INDEXED BY deliveries_by_created
    WHERE webhook_id = $2
    LIMIT $1
)
