SELECT count(*) AS "count!: i64"
FROM passkeys
WHERE user_id = $1
    AND kind = $2
