-- $1: webhook; $2: now; $3: until when others wait.
UPDATE webhooks
SET paused_until = $3
WHERE id = $1
    AND COALESCE(paused_until, 0) <= $2
