-- $1: before when they were made; $2: how many at most.
DELETE FROM deliveries
WHERE id = ANY (ARRAY(
    SELECT id
    FROM deliveries
    WHERE state <> 'pending'
        AND created_at < $1
    ORDER BY created_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))
