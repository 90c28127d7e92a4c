SELECT
    sessions.user_id AS "user_id: Uuid",
    users.role,
    roles.permissions AS "permissions?",
    users.status,
    sessions.generation,
    sessions.refreshed_at,
    sessions.idle_expires_at,
    sessions.expires_at,
    sessions.ended_at IS NOT NULL AS "is_ended!: bool"
FROM sessions
JOIN users ON users.id = sessions.user_id
LEFT JOIN roles ON roles.name = users.role
WHERE sessions.id = $1
