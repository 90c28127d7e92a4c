-- $1: a moment.
SELECT position
FROM events
WHERE occurred_at < $1
ORDER BY occurred_at DESC, position DESC
LIMIT 1
