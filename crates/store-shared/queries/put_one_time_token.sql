INSERT INTO one_time_tokens (id, user_id, purpose, email, session_id, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (user_id, purpose) DO UPDATE SET
    id = excluded.id,
    email = excluded.email,
    session_id = excluded.session_id,
    created_at = excluded.created_at,
    expires_at = excluded.expires_at
