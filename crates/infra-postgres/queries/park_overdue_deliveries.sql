-- $1: webhook; $2: now; $3: how many at most.
UPDATE deliveries
SET state = 'parked', due_at = NULL, taken_until = NULL
WHERE id = ANY (ARRAY(
    SELECT id
    FROM deliveries
    WHERE webhook_id = $1
        AND state = 'pending'
        AND gives_up_at <= $2
        AND COALESCE(taken_until, 0) <= $2
    ORDER BY gives_up_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
))
RETURNING subject
