SELECT count(*) AS "count!"
FROM webhooks
