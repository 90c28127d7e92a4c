INSERT INTO providers (name, document, sealed_secret, is_enabled, created_at, updated_at, version)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (name) DO NOTHING
