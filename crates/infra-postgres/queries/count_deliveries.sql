-- $1: up to how many are counted; $2: webhook.
SELECT count(*) AS "count!"
FROM (
    SELECT 1
    FROM deliveries
    WHERE webhook_id = $2
    LIMIT $1
) AS counted
