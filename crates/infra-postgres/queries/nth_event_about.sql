-- The $4-th record, counted from 0, that concerns this subject. $1: which one; $2: after this position; $3: up to this one.
SELECT position
FROM events
WHERE subject = $1
    AND position > $2
    AND position <= $3
-- So that the order is that of one index only.
ORDER BY subject, position
LIMIT 1 OFFSET $4
