-- session_state.sql of $1 and lock_user.sql of $2 in one round trip. Always one row.
WITH locked AS (
    SELECT
        id,
        email,
        email_verified,
        name,
        role,
        status,
        created_at,
        updated_at,
        last_sign_in_at,
        version,
        locale,
        attributes,
        app_attributes,
        delete_after,
        status_before_deletion
    FROM users
    WHERE id = $2
    FOR UPDATE
), state AS (
    SELECT
        sessions.user_id,
        users.role,
        roles.permissions,
        users.status,
        sessions.generation,
        sessions.refreshed_at,
        sessions.idle_expires_at,
        sessions.expires_at,
        coalesce(sessions.proven_at, sessions.created_at) AS proven_at,
        sessions.second_factor_at,
        sessions.auth_methods,
        sessions.second_factor_at IS NULL
            AND (
                roles.second_factor IS NOT DISTINCT FROM 'required'
                OR EXISTS (
                    SELECT 1 FROM totp_factors
                    WHERE totp_factors.user_id = sessions.user_id
                        AND totp_factors.confirmed_at IS NOT NULL
                )
                OR EXISTS (SELECT 1 FROM passkeys WHERE passkeys.user_id = sessions.user_id)
            )
            OR coalesce(
                roles.second_factor = 'required' AND roles.requires_passkey
                    -- Neither `hwk` nor `swk`.
                    AND coalesce(sessions.auth_methods, 0) & 48 = 0,
                false
            ) AS owes_second_factor,
        sessions.ended_at IS NOT NULL AS is_ended
    FROM sessions
    JOIN users ON users.id = sessions.user_id
    LEFT JOIN roles ON roles.name = users.role
    WHERE sessions.id = $1
)
SELECT
    state.user_id AS "user_id?",
    state.role AS "role?",
    state.permissions AS "permissions?",
    state.status AS "status?",
    state.generation AS "generation?",
    state.refreshed_at AS "refreshed_at?",
    state.idle_expires_at AS "idle_expires_at?",
    state.expires_at AS "expires_at?",
    state.proven_at AS "proven_at?",
    state.second_factor_at AS "second_factor_at?",
    state.auth_methods AS "auth_methods?",
    state.owes_second_factor AS "owes_second_factor?",
    state.is_ended AS "is_ended?",
    locked.id AS "locked_id?",
    locked.email AS "email?",
    locked.email_verified AS "email_verified?",
    locked.name AS "name?",
    locked.role AS "locked_role?",
    locked.status AS "locked_status?",
    locked.created_at AS "created_at?",
    locked.updated_at AS "updated_at?",
    locked.last_sign_in_at AS "last_sign_in_at?",
    locked.version AS "version?",
    locked.locale AS "locale?",
    locked.attributes AS "attributes?",
    locked.app_attributes AS "app_attributes?",
    locked.delete_after AS "delete_after?",
    locked.status_before_deletion AS "status_before_deletion?"
FROM (VALUES (1)) AS one (n)
LEFT JOIN state ON true
LEFT JOIN locked ON true
