INSERT INTO sessions (
    id, user_id, generation, created_at, refreshed_at, idle_expires_at, expires_at, last_used_at,
    address, user_agent, label, proven_at, second_factor_at, auth_methods, identity_id
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
