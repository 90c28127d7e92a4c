-- $1, $2: the place before which the page begins; $3: limit; $4: offset; $5: webhook; $6: state.
SELECT
    id AS "id: Uuid",
    webhook_id AS "webhook_id: Uuid",
    event_position,
    event_id AS "event_id: Uuid",
    type AS "kind",
    subject,
    state,
    attempts,
    due_at,
    created_at,
    last_attempt_at,
    last_status,
    last_latency_ms,
    last_answer,
    last_error
FROM deliveries INDEXED BY deliveries_by_state
WHERE webhook_id = $5
    AND state = $6
    AND (created_at, id) < ($1, $2)
ORDER BY created_at DESC, id DESC
LIMIT $3 OFFSET $4
