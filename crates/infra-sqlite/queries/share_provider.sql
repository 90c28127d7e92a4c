SELECT is_enabled AS "is_enabled: bool"
FROM providers
WHERE name = $1
