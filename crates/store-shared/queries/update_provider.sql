-- $6: the new version, one above the one that is replaced.
UPDATE providers
SET document = $2, sealed_secret = $3, is_enabled = $4, updated_at = $5, version = $6
WHERE name = $1 AND version + 1 = $6
