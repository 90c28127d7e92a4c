SELECT
    sessions.user_id,
    users.role,
    users.status,
    sessions.generation,
    sessions.refreshed_at,
    sessions.idle_expires_at,
    sessions.expires_at,
    sessions.ended_at IS NOT NULL AS "is_ended!"
FROM sessions
JOIN users ON users.id = sessions.user_id
WHERE sessions.id = $1
