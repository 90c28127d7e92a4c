SELECT master_id, sealed, created_at
FROM root_keys
ORDER BY created_at DESC, master_id
