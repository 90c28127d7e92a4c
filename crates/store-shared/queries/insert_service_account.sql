INSERT INTO service_accounts (id, name, description, role, status, created_at, updated_at, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
