SELECT devices_since
FROM users
WHERE id = $1
