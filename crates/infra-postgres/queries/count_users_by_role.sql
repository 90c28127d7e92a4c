-- $1: up to how many are counted; $2: created after; $3: role.
SELECT count(*) AS "count!"
FROM (
    SELECT 1
    FROM users
    WHERE role = $3
        AND created_at > $2
    LIMIT $1
) AS counted
