-- $1: up to how many are counted.
SELECT count(*) AS "count!: i64"
FROM (
    SELECT 1
    FROM api_keys
    LIMIT $1
) AS counted
