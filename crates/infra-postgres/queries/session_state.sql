SELECT
    sessions.user_id,
    users.role,
    roles.permissions AS "permissions?",
    users.status,
    sessions.generation,
    sessions.refreshed_at,
    sessions.idle_expires_at,
    sessions.expires_at,
    coalesce(sessions.proven_at, sessions.created_at) AS "proven_at!",
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
        ) AS "owes_second_factor!",
    sessions.ended_at IS NOT NULL AS "is_ended!"
FROM sessions
JOIN users ON users.id = sessions.user_id
LEFT JOIN roles ON roles.name = users.role
WHERE sessions.id = $1
