INSERT INTO outbox (id, kind, subject_id, recipient, name, locale, created_at, expires_at, attempts, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9)
