INSERT INTO traces (cause_id, parent, expires_at) VALUES ($1, $2, $3) ON CONFLICT (cause_id) DO NOTHING
