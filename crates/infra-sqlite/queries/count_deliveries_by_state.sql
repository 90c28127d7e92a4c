SELECT count(*) AS "count!: i64"
FROM deliveries INDEXED BY deliveries_by_state
WHERE webhook_id = $1
    AND state = $2
