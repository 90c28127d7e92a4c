SELECT
    api_keys.user_id AS "user_id: Uuid",
    api_keys.service_account_id AS "service_account_id: Uuid",
    COALESCE(users.role, service_accounts.role) AS "role!: String",
    roles.permissions AS "permissions?",
    COALESCE(users.status, service_accounts.status) AS "status!: String",
    api_keys.scopes,
    api_keys.expires_at,
    api_keys.secret_hash,
    api_keys.previous_hash,
    api_keys.previous_until
FROM api_keys
LEFT JOIN users ON users.id = api_keys.user_id
LEFT JOIN service_accounts ON service_accounts.id = api_keys.service_account_id
LEFT JOIN roles ON roles.name = COALESCE(users.role, service_accounts.role)
WHERE api_keys.id = $1
