-- $1: rows, as a JSON array of [id, webhook, position, event, type, subject, whether it is the first]; $2: now; $3: when they
-- are given up. Due is the first of a subject, unless one is pending already.
INSERT INTO deliveries (
    id, webhook_id, event_position, event_id, type, subject, state, due_at, gives_up_at, created_at
)
SELECT
    (value ->> 0)::uuid,
    (value ->> 1)::uuid,
    (value ->> 2)::bigint,
    (value ->> 3)::uuid,
    value ->> 4,
    value ->> 5,
    'pending',
    CASE WHEN (value ->> 6)::boolean AND (
        SELECT earlier.id
        FROM deliveries AS earlier
        WHERE earlier.webhook_id = (value ->> 1)::uuid
            AND earlier.subject = value ->> 5
            AND earlier.state = 'pending'
        LIMIT 1
    ) IS NULL THEN $2::bigint END,
    $3,
    $2
FROM jsonb_array_elements($1::text::jsonb) AS rows (value)
ON CONFLICT (webhook_id, event_position) DO NOTHING
