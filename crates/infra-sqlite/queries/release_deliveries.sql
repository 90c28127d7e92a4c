-- $1: webhook; $2: a JSON array of subjects; $3: now.
UPDATE deliveries
SET due_at = $3
WHERE id IN (
    SELECT (
        SELECT first.id
        FROM deliveries AS first INDEXED BY deliveries_by_subject
        WHERE first.webhook_id = $1
            AND first.subject = wanted.value
            AND first.state = 'pending'
        ORDER BY first.event_position
        LIMIT 1
    )
    FROM json_each($2) AS wanted
    WHERE NOT EXISTS (
        SELECT 1
        FROM deliveries AS due INDEXED BY deliveries_by_turn
        WHERE due.webhook_id = $1
            AND due.subject = wanted.value
            AND due.state = 'pending'
            AND due.due_at IS NOT NULL
    )
)
