DELETE FROM traces
WHERE cause_id IN (
    SELECT cause_id FROM traces INDEXED BY traces_by_end
    WHERE expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
)
