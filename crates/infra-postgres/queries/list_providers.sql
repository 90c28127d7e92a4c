SELECT name, document, sealed_secret, is_enabled, created_at, updated_at, version
FROM providers
ORDER BY name
LIMIT $1
