-- $1: now; $2: after when none is due.
UPDATE outbox
SET due_at = $1
WHERE due_at > $2
