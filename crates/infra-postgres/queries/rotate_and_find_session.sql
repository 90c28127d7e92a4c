-- rotate_session.sql, session_state.sql and find_user.sql in one: nothing is found when nothing is rotated.
WITH rotated AS (
    UPDATE sessions
    SET generation = generation + 1,
        refreshed_at = $3,
        idle_expires_at = least($4, expires_at)
    WHERE id = $1
        AND generation = $2
        AND ended_at IS NULL
        AND idle_expires_at > $3
        AND expires_at > $3
    RETURNING user_id, generation, refreshed_at, idle_expires_at, expires_at
)
SELECT
    rotated.generation,
    rotated.refreshed_at,
    rotated.idle_expires_at,
    rotated.expires_at,
    roles.permissions AS "permissions?",
    users.id,
    users.email,
    users.email_verified,
    users.name,
    users.role,
    users.status,
    users.created_at,
    users.updated_at,
    users.last_sign_in_at,
    users.version,
    users.attributes
FROM rotated
JOIN users ON users.id = rotated.user_id
LEFT JOIN roles ON roles.name = users.role
