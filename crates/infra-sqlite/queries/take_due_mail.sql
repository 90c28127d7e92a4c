-- $1: now; $2: until when it is taken; $3: how many at most.
UPDATE outbox
SET attempts = attempts + 1, due_at = $2
WHERE id IN (
    SELECT id
    FROM outbox INDEXED BY outbox_by_due
    WHERE due_at <= $1
    ORDER BY due_at, id
    LIMIT $3
)
RETURNING id AS "id: Uuid", kind, subject_id AS "subject_id: Uuid", recipient, name, locale, created_at, expires_at,
    attempts
