SELECT count(*) AS "count!"
FROM users
WHERE status = $2
    AND created_at > $1
