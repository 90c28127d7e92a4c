-- $1: delivery; $2: until when it was taken; $3: state; $4: when it is due; $5 to $9: the attempt. When it is given up the
-- row knows: somebody may have put it off meanwhile.
UPDATE deliveries
SET
    state = CASE WHEN $3 = 'pending' AND $4 >= gives_up_at THEN 'parked' ELSE $3 END,
    due_at = CASE WHEN $3 = 'pending' AND $4 >= gives_up_at THEN NULL ELSE $4 END,
    taken_until = NULL,
    last_attempt_at = $5,
    last_status = $6,
    last_latency_ms = $7,
    last_answer = $8,
    last_error = $9
WHERE id = $1
    AND taken_until = $2
    AND state = 'pending'
RETURNING state
