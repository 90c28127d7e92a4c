SELECT count(*) AS "count!: i64"
FROM users INDEXED BY users_by_role
WHERE role = $2
    AND created_at > $1
