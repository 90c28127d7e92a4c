-- $1: up to how many are counted; $2: service account.
SELECT count(*) AS "count!: i64"
FROM (
    SELECT 1
    FROM api_keys INDEXED BY api_keys_by_service_account
    WHERE service_account_id = $2
    LIMIT $1
)
