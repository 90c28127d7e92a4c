INSERT INTO passkeys (
    id, user_id, user_handle, credential_id, credential, name, aaguid, transports, backup_eligible, backed_up, counter,
    created_at, last_used_at, rp_id, kind
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (credential_id) DO NOTHING
