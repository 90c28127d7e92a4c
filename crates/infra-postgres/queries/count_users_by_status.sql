-- $1: up to how many are counted; $2: created after; $3: status.
SELECT count(*) AS "count!"
FROM (
    SELECT 1
    FROM users
    WHERE status = $3
        AND created_at > $2
    LIMIT $1
) AS counted
