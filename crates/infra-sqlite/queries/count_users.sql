SELECT count(*) AS "count!: i64"
FROM users INDEXED BY users_by_created
WHERE created_at > $1
