SELECT
    EXISTS (
        SELECT 1 FROM totp_factors
        WHERE totp_factors.user_id = users.id
            AND totp_factors.confirmed_at IS NOT NULL
    ) AS "has_totp!: bool",
    EXISTS (SELECT 1 FROM passkeys WHERE passkeys.user_id = users.id) AS "has_passkey!: bool",
    roles.second_factor IS 'required' AS "is_required!: bool"
FROM users
LEFT JOIN roles ON roles.name = users.role
WHERE users.id = $1
