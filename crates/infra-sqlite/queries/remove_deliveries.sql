-- $1: before when they were made; $2: how many at most.
DELETE FROM deliveries
WHERE id IN (
    SELECT id
    FROM deliveries INDEXED BY deliveries_by_end
    WHERE state <> 'pending'
        AND created_at < $1
    ORDER BY created_at
    LIMIT $2
)
