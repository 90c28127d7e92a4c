INSERT INTO signing_keys (
    id, sequence, algorithm, public_key, sealed_private_key, created_at, activates_at, withdrawn_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (sequence) DO NOTHING
