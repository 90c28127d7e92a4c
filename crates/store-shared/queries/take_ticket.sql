-- $1: ticket; $2: now.
DELETE FROM event_tickets
WHERE id = $1
    AND expires_at > $2
RETURNING
    id AS "id: Uuid",
    subject_kind,
    subject_id AS "subject_id: Uuid",
    credential_kind,
    credential_id AS "credential_id: Uuid",
    permissions,
    credential_expires_at,
    expires_at
