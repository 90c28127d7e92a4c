-- $1: now; $2: limit.
DELETE FROM sessions
WHERE id IN (
    SELECT id
    FROM sessions INDEXED BY sessions_by_idle_expiry
    WHERE idle_expires_at <= $1
    ORDER BY idle_expires_at
    LIMIT $2
)
