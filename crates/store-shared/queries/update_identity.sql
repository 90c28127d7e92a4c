UPDATE identities
SET provider = $2, email = $3, last_used_at = $4
WHERE id = $1
