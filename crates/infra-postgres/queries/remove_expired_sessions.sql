-- $1: from which idle end on; $2: now; $3: limit. Nodes that do so at once take different rows.
-- ARRAY: a sub-query might run more than once.
DELETE FROM sessions
WHERE id = ANY (ARRAY(
    SELECT id
    FROM sessions
    WHERE idle_expires_at >= $1
        AND idle_expires_at <= $2
    ORDER BY idle_expires_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
))
RETURNING id, idle_expires_at
