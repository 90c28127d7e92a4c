-- $1: webhook; $2: now; $3: until when they are taken; $4: how many at most.
UPDATE deliveries
SET attempts = attempts + 1, due_at = $3, taken_until = $3
WHERE id IN (
    SELECT id
    FROM deliveries INDEXED BY deliveries_by_due
    WHERE webhook_id = $1
        AND state = 'pending'
        AND due_at IS NOT NULL
        AND due_at <= $2
    ORDER BY due_at, event_position
    LIMIT $4
)
RETURNING
    id AS "id: Uuid",
    event_position,
    event_id AS "event_id: Uuid",
    subject,
    attempts
