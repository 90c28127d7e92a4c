UPDATE sessions
SET generation = generation + 1,
    refreshed_at = $3,
    -- It never outlives its end: by the idle end it is removed.
    idle_expires_at = least($4, expires_at)
WHERE id = $1
    AND generation = $2
    AND ended_at IS NULL
    AND idle_expires_at > $3
    AND expires_at > $3
