UPDATE sessions
SET generation = generation + 1, refreshed_at = $3, idle_expires_at = $4
WHERE id = $1
    AND generation = $2
    AND ended_at IS NULL
    AND idle_expires_at > $3
    AND expires_at > $3
