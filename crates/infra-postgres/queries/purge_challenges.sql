DELETE FROM challenges
WHERE id = ANY (ARRAY(
    SELECT id FROM challenges
    WHERE expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))
