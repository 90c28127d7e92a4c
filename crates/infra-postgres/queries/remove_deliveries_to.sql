-- $1: webhook; $2: how many at most.
DELETE FROM deliveries
WHERE id = ANY (ARRAY(
    SELECT id
    FROM deliveries
    WHERE webhook_id = $1
    ORDER BY created_at, id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))
