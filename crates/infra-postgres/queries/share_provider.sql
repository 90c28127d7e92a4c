SELECT is_enabled
FROM providers
WHERE name = $1
FOR SHARE
