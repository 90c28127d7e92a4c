UPDATE roles
SET description = $2,
    permissions = $3,
    updated_at = $4,
    version = $5,
    second_factor = $6,
    requires_passkey = $7
WHERE id = $1
