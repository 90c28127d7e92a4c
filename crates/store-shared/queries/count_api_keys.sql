SELECT count(*) AS "count!: i64"
FROM api_keys
