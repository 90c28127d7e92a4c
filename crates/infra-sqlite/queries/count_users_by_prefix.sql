-- $1: up to how many are counted; $2, $3: the range of the prefix, half open.
SELECT count(*) AS "count!: i64"
FROM (
    SELECT 1
    FROM users INDEXED BY users_by_email
    WHERE email >= $2 AND email < $3
    UNION ALL
    SELECT 1
    FROM users INDEXED BY users_by_name
    WHERE name_key >= $2 AND name_key < $3
        AND NOT (email >= $2 AND email < $3)
    LIMIT $1
)
