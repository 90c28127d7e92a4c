-- $1: webhook; $2: state; $3, $4: from when on and before when they were made; $5: before when they were last tried; $6:
-- when they are given up; $7: how many at most.
UPDATE deliveries
SET state = 'pending', attempts = 0, due_at = NULL, taken_until = NULL, gives_up_at = $6
WHERE id = ANY (ARRAY(
    SELECT id
    FROM deliveries
    WHERE webhook_id = $1
        AND state = $2
        AND created_at >= $3
        AND created_at < $4
        AND COALESCE(last_attempt_at, 0) < $5
    ORDER BY created_at, id
    LIMIT $7
    FOR UPDATE SKIP LOCKED
))
RETURNING subject
