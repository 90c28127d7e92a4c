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
    RETURNING user_id, generation, created_at, refreshed_at, idle_expires_at, expires_at, proven_at, second_factor_at,
        auth_methods
)
SELECT
    rotated.generation,
    rotated.refreshed_at,
    rotated.idle_expires_at,
    rotated.expires_at,
    coalesce(rotated.proven_at, rotated.created_at) AS "proven_at!",
    rotated.second_factor_at,
    rotated.auth_methods,
    rotated.second_factor_at IS NULL
        AND (
            roles.second_factor IS NOT DISTINCT FROM 'required'
            OR EXISTS (
                SELECT 1 FROM totp_factors
                WHERE totp_factors.user_id = rotated.user_id
                    AND totp_factors.confirmed_at IS NOT NULL
            )
            OR EXISTS (SELECT 1 FROM passkeys WHERE passkeys.user_id = rotated.user_id)
        )
        OR coalesce(
            roles.second_factor = 'required' AND roles.requires_passkey
                -- Neither `hwk` nor `swk`.
                AND coalesce(rotated.auth_methods, 0) & 48 = 0,
            false
        ) AS "owes_second_factor!",
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
    users.locale,
    users.attributes,
    users.app_attributes,
    users.delete_after,
    users.status_before_deletion
FROM rotated
JOIN users ON users.id = rotated.user_id
LEFT JOIN roles ON roles.name = users.role
