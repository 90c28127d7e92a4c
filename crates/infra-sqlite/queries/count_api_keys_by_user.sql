SELECT count(*) AS "count!: i64"
FROM api_keys INDEXED BY api_keys_by_user
WHERE user_id = $1
