SELECT count(*) AS "count!: i64"
FROM users INDEXED BY users_by_status
WHERE status = $2
    AND created_at > $1
