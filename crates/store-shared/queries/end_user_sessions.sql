-- $1: user; $2: why; $3: now.
UPDATE sessions
SET ended_at = $3,
    end_reason = $2
WHERE user_id = $1
    AND ended_at IS NULL
    AND expires_at > $3
RETURNING id AS "id: Uuid"
