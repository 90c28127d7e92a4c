-- $1: delivery; $2: until when it was taken; $3: state; $4: when it is due; $5 to $9: the attempt.
UPDATE deliveries
SET
    state = $3,
    due_at = $4,
    taken_until = NULL,
    last_attempt_at = $5,
    last_status = $6,
    last_latency_ms = $7,
    last_answer = $8,
    last_error = $9
WHERE id = $1
    AND taken_until = $2
    AND state = 'pending'
