SELECT count(*) AS "count!: i64"
FROM service_accounts
