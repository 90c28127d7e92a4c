-- $1: webhook; $2: how many at most.
DELETE FROM deliveries
WHERE id IN (
    SELECT id
    FROM deliveries INDEXED BY deliveries_by_created
    WHERE webhook_id = $1
    ORDER BY created_at, id
    LIMIT $2
)
