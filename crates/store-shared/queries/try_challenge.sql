UPDATE challenges
SET tries_left = tries_left - 1
WHERE id = $1
    AND tries_left > 0
    AND expires_at > $2
RETURNING
    id AS "id: Uuid",
    user_id AS "user_id: Uuid",
    kind,
    label,
    tries_left,
    created_at,
    expires_at,
    auth_methods,
    identity_id AS "identity_id: Uuid"
