SELECT count(*) AS "count!"
FROM service_accounts
