SELECT EXISTS (
    SELECT 1 FROM users INDEXED BY users_by_role WHERE role = $1
) OR EXISTS (
    SELECT 1 FROM service_accounts INDEXED BY service_accounts_by_role WHERE role = $1
) AS "exists!: bool"
