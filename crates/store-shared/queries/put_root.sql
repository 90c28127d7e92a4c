INSERT INTO root_keys (master_id, sealed, created_at)
VALUES ($1, $2, $3)
ON CONFLICT (master_id) DO UPDATE
SET sealed = excluded.sealed,
    created_at = excluded.created_at
