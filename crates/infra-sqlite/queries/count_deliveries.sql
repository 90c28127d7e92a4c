SELECT count(*) AS "count!: i64"
FROM deliveries INDEXED BY deliveries_by_created
WHERE webhook_id = $1
