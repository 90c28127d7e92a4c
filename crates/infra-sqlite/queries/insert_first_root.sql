INSERT INTO root_keys (master_id, sealed, created_at)
SELECT $1, $2, $3
WHERE NOT EXISTS (SELECT 1 FROM root_keys)
