DELETE FROM challenges
WHERE id IN (
    SELECT id FROM challenges INDEXED BY challenges_by_end
    WHERE expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
)
