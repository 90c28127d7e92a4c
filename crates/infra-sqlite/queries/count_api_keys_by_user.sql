-- $1: up to how many are counted; $2: user.
SELECT count(*) AS "count!: i64"
FROM (
    SELECT 1
    FROM api_keys INDEXED BY api_keys_by_user
    WHERE user_id = $2
    LIMIT $1
)
