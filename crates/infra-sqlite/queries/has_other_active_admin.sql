SELECT EXISTS (
    SELECT 1 FROM users INDEXED BY users_by_role_status
    WHERE role = $1 AND status = $2 AND id <> $3
) AS "exists!: bool"
