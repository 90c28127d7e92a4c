-- $1: now; $2: after when none is due.
UPDATE outbox INDEXED BY outbox_by_due
SET due_at = $1
WHERE due_at > $2
