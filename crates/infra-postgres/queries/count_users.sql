-- $1: up to how many are counted; $2: created after.
SELECT count(*) AS "count!"
FROM (
    SELECT 1
    FROM users
    WHERE created_at > $2
    LIMIT $1
) AS counted
