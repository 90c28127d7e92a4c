SELECT EXISTS (
    SELECT 1 FROM users
    WHERE role = $1 AND status = $2 AND id <> $3
) AS "exists!"
