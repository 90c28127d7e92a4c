SELECT
    id,
    sequence,
    algorithm,
    public_key,
    sealed_private_key,
    created_at,
    activates_at,
    withdrawn_at
FROM signing_keys
ORDER BY sequence DESC
