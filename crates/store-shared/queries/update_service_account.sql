UPDATE service_accounts
SET name = $2,
    description = $3,
    role = $4,
    status = $5,
    updated_at = $6,
    version = $7
WHERE id = $1
