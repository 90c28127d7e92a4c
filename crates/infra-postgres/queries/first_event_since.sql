-- The first record that is not older than $1, found by halving the log: times follow the order of the log but for the
-- differences between clocks. low is before the moment, high is not.
WITH RECURSIVE search (low, high) AS (
    SELECT floor_position, head_position + 1 FROM event_log WHERE id = 1
    UNION ALL
    SELECT
        CASE WHEN middle.occurred_at < $1 THEN (low + high) / 2 ELSE low END,
        CASE WHEN middle.occurred_at < $1 THEN high ELSE (low + high) / 2 END
    FROM search
    LEFT JOIN events AS middle ON middle.position = (low + high) / 2
    WHERE high - low > 1
)
SELECT search.high AS "position!"
FROM search
JOIN event_log ON event_log.id = 1
WHERE search.high - search.low = 1 AND search.high <= event_log.head_position
