-- $1: user; $2: how many live on; $3: how many end at most; $4: now.
UPDATE sessions
SET ended_at = $4, end_reason = 'too_many_sessions', idle_expires_at = $4
WHERE id = ANY (ARRAY(
    SELECT id
    FROM sessions
    WHERE user_id = $1
        AND ended_at IS NULL
        AND idle_expires_at > $4
        AND expires_at > $4
    ORDER BY created_at, id
    LIMIT (
        SELECT greatest(0, least($3::bigint, count(*) - $2::bigint))
        FROM sessions
        WHERE user_id = $1
            AND ended_at IS NULL
            AND idle_expires_at > $4
            AND expires_at > $4
    )
))
RETURNING id
