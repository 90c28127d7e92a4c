UPDATE outbox
SET due_at = $3
WHERE id = $1
    AND attempts = $2
