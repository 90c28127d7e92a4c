-- $1: provider; $2: the identity to begin with; $3: limit; $4: now.
SELECT
    sessions.id AS "id: Uuid",
    sessions.user_id AS "user_id: Uuid",
    identities.id AS "identity_id: Uuid"
FROM identities
JOIN sessions ON sessions.identity_id = identities.id
WHERE identities.provider = $1
    AND identities.id >= $2
    AND sessions.ended_at IS NULL
    AND sessions.expires_at > $4
ORDER BY identities.id
LIMIT $3
