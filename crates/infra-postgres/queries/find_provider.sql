SELECT name, document, sealed_secret, is_enabled, created_at, updated_at, version
FROM providers
WHERE name = $1
