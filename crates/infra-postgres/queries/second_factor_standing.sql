SELECT
    EXISTS (
        SELECT 1 FROM totp_factors
        WHERE totp_factors.user_id = users.id
            AND totp_factors.confirmed_at IS NOT NULL
    ) AS "has_totp!",
    EXISTS (
        SELECT 1 FROM passkeys
        WHERE passkeys.user_id = users.id
            AND passkeys.kind = 'passkey'
    ) AS "has_passkey!",
    EXISTS (
        SELECT 1 FROM passkeys
        WHERE passkeys.user_id = users.id
            AND passkeys.kind = 'security_key'
    ) AS "has_security_key!",
    roles.second_factor IS NOT DISTINCT FROM 'required' AS "is_required!",
    coalesce(roles.second_factor = 'required' AND roles.requires_passkey, false) AS "is_passkey_required!"
FROM users
LEFT JOIN roles ON roles.name = users.role
WHERE users.id = $1
