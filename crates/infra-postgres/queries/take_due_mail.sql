-- $1: now; $2: until when it is taken; $3: how many at most. What another one takes at this moment is passed over.
UPDATE outbox
SET attempts = outbox.attempts + 1, due_at = $2
FROM (
    SELECT id
    FROM outbox
    WHERE due_at <= $1
    ORDER BY due_at, id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
) AS due
WHERE outbox.id = due.id
RETURNING outbox.id, kind, subject_id, recipient, name, locale, created_at, expires_at, attempts
