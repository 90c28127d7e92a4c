SELECT
    id,
    user_id,
    provider,
    issuer,
    subject,
    email,
    created_at,
    last_used_at
FROM identities
WHERE issuer = $1 AND subject = $2
