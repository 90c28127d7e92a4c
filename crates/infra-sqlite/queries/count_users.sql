-- $1: up to how many are counted; $2: created after.
SELECT count(*) AS "count!: i64"
FROM (
    SELECT 1
    FROM users INDEXED BY users_by_created
    WHERE created_at > $2
    LIMIT $1
)
