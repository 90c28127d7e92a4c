DELETE FROM providers
WHERE name = $1 AND version = $2
