-- $1: webhook; $2: delivery; $3: now; $4: when it is given up.
UPDATE deliveries
SET
    attempts = CASE WHEN state = 'pending' THEN attempts ELSE 0 END,
    due_at = CASE
        WHEN state <> 'pending' THEN NULL
        WHEN due_at IS NOT NULL AND COALESCE(taken_until, 0) <= $3 THEN $3
        ELSE due_at
    END,
    taken_until = CASE WHEN state = 'pending' THEN taken_until END,
    gives_up_at = $4,
    state = 'pending'
WHERE id = $2
    -- Not by an index of the webhook, which may have very many.
    AND webhook_id IS NOT DISTINCT FROM $1
RETURNING subject
