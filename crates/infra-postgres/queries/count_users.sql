SELECT count(*) AS "count!"
FROM users
WHERE created_at > $1
