INSERT INTO roles (id, name, description, permissions, created_at, updated_at, version, second_factor, requires_passkey)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (name) DO NOTHING
