-- $1: up to how many are counted; $2: service account.
SELECT count(*) AS "count!"
FROM (
    SELECT 1
    FROM api_keys
    WHERE service_account_id = $2
    LIMIT $1
) AS counted
