INSERT INTO users (
    id, email, email_verified, name, name_key, role, status, attributes,
    created_at, updated_at, last_sign_in_at, version, locale, app_attributes,
    delete_after, status_before_deletion, deletion_due_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $15)
ON CONFLICT (email) DO NOTHING
