INSERT INTO root_keys (master_id, sealed, created_at)
SELECT $1::text, $2::bytea, $3::bigint
WHERE NOT EXISTS (SELECT 1 FROM root_keys)
