SELECT count(*) AS "count!"
FROM users
WHERE role = $2
    AND status = $3
    AND created_at > $1
