-- $1: webhook; $2: subjects; $3: now. A look at an index for each subject.
UPDATE deliveries
SET due_at = $3
WHERE id = ANY (ARRAY(
    SELECT (
        SELECT first.id
        FROM deliveries AS first
        WHERE first.webhook_id = $1
            AND first.subject = wanted.value
            AND first.state = 'pending'
        ORDER BY first.event_position
        LIMIT 1
    )
    FROM unnest($2::text[]) AS wanted (value)
    WHERE (
        SELECT due.id
        FROM deliveries AS due
        WHERE due.webhook_id = $1
            AND due.subject = wanted.value
            AND due.state = 'pending'
            AND due.due_at IS NOT NULL
        LIMIT 1
    ) IS NULL
))
