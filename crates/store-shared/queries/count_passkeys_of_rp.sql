SELECT count(*) AS "count!: i64"
FROM passkeys
WHERE rp_id = $1
