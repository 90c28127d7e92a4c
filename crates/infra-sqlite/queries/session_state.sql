SELECT
    sessions.user_id AS "user_id: Uuid",
    users.role,
    users.status,
    sessions.expires_at,
    sessions.ended_at IS NOT NULL AS "is_ended!: bool"
FROM sessions
JOIN users ON users.id = sessions.user_id
WHERE sessions.id = $1
