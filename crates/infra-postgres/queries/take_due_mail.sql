-- $1: now; $2: until when it is taken; $3: how many at most. What another one takes at this moment is passed over.
-- ARRAY: a sub-query might run more than once, and take more.
UPDATE outbox
SET attempts = attempts + 1, due_at = $2
WHERE id = ANY (ARRAY(
    SELECT id
    FROM outbox
    WHERE due_at <= $1
    ORDER BY due_at, id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
))
RETURNING id, kind, subject_id, recipient, name, locale, created_at, expires_at, attempts
