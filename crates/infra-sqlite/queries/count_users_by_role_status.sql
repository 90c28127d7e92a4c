SELECT count(*) AS "count!: i64"
FROM users INDEXED BY users_by_role_status
WHERE role = $2
    AND status = $3
    AND created_at > $1
