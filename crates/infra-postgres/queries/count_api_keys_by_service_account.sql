SELECT count(*) AS "count!"
FROM api_keys
WHERE service_account_id = $1
