-- $1: session; $2: why; $3: now.
UPDATE sessions
SET ended_at = $3,
    end_reason = $2
WHERE id = $1
    AND ended_at IS NULL
    AND expires_at > $3
RETURNING user_id AS "user_id: Uuid"
