SELECT count(*) AS "count!"
FROM api_keys
WHERE user_id = $1
