-- $1: webhook; $2: delivery.
SELECT
    id,
    webhook_id,
    event_position,
    event_id,
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
WHERE id = $2
    -- Not by an index of the webhook, which may have very many.
    AND webhook_id IS NOT DISTINCT FROM $1
