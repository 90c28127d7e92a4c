INSERT INTO event_tickets (
    id, subject_kind, subject_id, credential_kind, credential_id, permissions, credential_expires_at, expires_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
