INSERT INTO identities (id, user_id, provider, issuer, subject, email, created_at, last_used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (issuer, subject) DO NOTHING
