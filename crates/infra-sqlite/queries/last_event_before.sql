-- $1: a moment.
SELECT position AS "position!"
FROM events INDEXED BY events_by_time
WHERE occurred_at < $1
ORDER BY occurred_at DESC, position DESC
LIMIT 1
