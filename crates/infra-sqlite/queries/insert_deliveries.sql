-- $1: rows, as a JSON array of [id, webhook, position, event, type, subject, whether it is the first]; $2: now; $3: when they
-- are given up. Due is the first of a subject, unless one is pending already.
INSERT INTO deliveries (
    id, webhook_id, event_position, event_id, type, subject, state, due_at, gives_up_at, created_at
)
SELECT
    unhex(value ->> 0),
    unhex(value ->> 1),
    value ->> 2,
    unhex(value ->> 3),
    value ->> 4,
    value ->> 5,
    'pending',
    CASE WHEN value ->> 6 AND NOT EXISTS (
        SELECT 1
        FROM deliveries AS earlier INDEXED BY deliveries_by_subject
        WHERE earlier.webhook_id = unhex(value ->> 1)
            AND earlier.subject = value ->> 5
            AND earlier.state = 'pending'
    ) THEN $2 END,
    $3,
    $2
FROM json_each($1)
WHERE true
ORDER BY key
ON CONFLICT (webhook_id, event_position) DO NOTHING
