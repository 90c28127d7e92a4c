-- $1: up to how many are counted; $2: webhook; $3: state.
SELECT count(*) AS "count!: i64"
FROM (
    SELECT 1
    FROM deliveries INDEXED BY deliveries_by_state
    WHERE webhook_id = $2
        AND state = $3
    LIMIT $1
)
