-- $1: webhook; $2: now; $3: until when they are taken; $4: how many at most.
-- ARRAY: a sub-query might run more than once.
UPDATE deliveries
SET attempts = attempts + 1, due_at = $3, taken_until = $3
WHERE id = ANY (ARRAY(
    SELECT id
    FROM deliveries
    WHERE webhook_id = $1
        AND state = 'pending'
        AND due_at IS NOT NULL
        AND due_at <= $2
    ORDER BY due_at, event_position
    LIMIT $4
    FOR UPDATE SKIP LOCKED
))
RETURNING
    id,
    event_position,
    event_id,
    subject,
    attempts
