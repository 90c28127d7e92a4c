INSERT INTO used_flows (id, expires_at)
VALUES ($1, $2)
ON CONFLICT (id) DO NOTHING
