SELECT count(*) AS "count!"
FROM deliveries
WHERE webhook_id = $1
