-- $1: user; $2: how many live on; $3: how many end at most; $4: now.
UPDATE sessions
SET ended_at = $4, end_reason = 'too_many_sessions', idle_expires_at = $4
WHERE id IN (
    SELECT id
    FROM sessions INDEXED BY live_sessions_by_user
    WHERE user_id = $1
        AND ended_at IS NULL
        AND idle_expires_at > $4
        AND expires_at > $4
    ORDER BY created_at, id
    LIMIT (
        SELECT max(0, min($3, count(*) - $2))
        FROM sessions INDEXED BY live_sessions_by_user
        WHERE user_id = $1
            AND ended_at IS NULL
            AND idle_expires_at > $4
            AND expires_at > $4
    )
)
RETURNING id AS "id: Uuid"
