SELECT count(*) AS "count!"
FROM api_keys
