-- $1: webhook; $2: delivery.
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
FROM deliveries
WHERE webhook_id = $1
    AND id = $2
