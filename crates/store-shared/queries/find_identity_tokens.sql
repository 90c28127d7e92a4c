SELECT provider, sealed, revision AS "revision: Uuid"
FROM identity_tokens
WHERE identity_id = $1
