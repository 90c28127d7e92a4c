INSERT INTO roles (id, name, description, permissions, created_at, updated_at, version)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (name) DO NOTHING
