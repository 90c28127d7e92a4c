-- $1: now; $2: after when no pause ends.
UPDATE webhooks
SET paused_until = $1
WHERE paused_until > $2
