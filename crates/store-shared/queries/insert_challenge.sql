INSERT INTO challenges (id, user_id, kind, label, tries_left, created_at, expires_at, auth_methods, identity_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
