SELECT count(*) AS "count!: i64"
FROM api_keys INDEXED BY api_keys_by_service_account
WHERE service_account_id = $1
