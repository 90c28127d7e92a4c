-- $1: up to how many are counted; $2: created after; $3: role; $4: status.
SELECT count(*) AS "count!: i64"
FROM (
    SELECT 1
    FROM users INDEXED BY users_by_role_status
    WHERE role = $3
        AND status = $4
        AND created_at > $2
    LIMIT $1
)
