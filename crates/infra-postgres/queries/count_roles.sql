SELECT count(*) AS "count!"
FROM roles
