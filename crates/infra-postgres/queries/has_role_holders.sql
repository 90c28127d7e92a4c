SELECT EXISTS (
    SELECT 1 FROM users WHERE role = $1
) OR EXISTS (
    SELECT 1 FROM service_accounts WHERE role = $1
) AS "exists!"
