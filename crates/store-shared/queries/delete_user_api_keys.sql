DELETE FROM api_keys
WHERE user_id = $1
RETURNING id AS "id: Uuid"
