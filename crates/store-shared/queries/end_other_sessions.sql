-- $1: user; $2: why; $3: now; $4: the session that lives on.
UPDATE sessions
SET ended_at = $3,
    end_reason = $2
WHERE user_id = $1
    AND ended_at IS NULL
    AND expires_at > $3
    AND id <> $4
RETURNING id AS "id: Uuid"
