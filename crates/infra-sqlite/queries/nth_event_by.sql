-- The $4-th record, counted from 0, that was done by this actor. $1: which one; $2: after this position; $3: up to this one.
SELECT position AS "position!"
FROM events INDEXED BY events_by_actor
WHERE actor_id = $1
    AND position > $2
    AND position <= $3
ORDER BY position
LIMIT 1 OFFSET $4
