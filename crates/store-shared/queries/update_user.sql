UPDATE users
SET email = $2,
    email_verified = $3,
    name = $4,
    name_key = $5,
    role = $6,
    status = $7,
    attributes = $8,
    updated_at = $9,
    last_sign_in_at = $10,
    version = $11,
    locale = $12,
    app_attributes = $13,
    delete_after = $14,
    status_before_deletion = $15,
    deletion_due_at = $14
WHERE id = $1
