SELECT count(*) AS "count!: i64"
FROM recovery_codes
WHERE user_id = $1
