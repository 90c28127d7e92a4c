-- $1: up to how many are counted; $2: created after; $3: status.
SELECT count(*) AS "count!: i64"
FROM (
    SELECT 1
    FROM users INDEXED BY users_by_status
    WHERE status = $3
        AND created_at > $2
    LIMIT $1
)
