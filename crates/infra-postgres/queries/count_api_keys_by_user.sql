-- $1: up to how many are counted; $2: user.
SELECT count(*) AS "count!"
FROM (
    SELECT 1
    FROM api_keys
    WHERE user_id = $2
    LIMIT $1
) AS counted
