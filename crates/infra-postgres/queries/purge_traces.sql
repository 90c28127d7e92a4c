DELETE FROM traces
WHERE cause_id = ANY (ARRAY(
    SELECT cause_id FROM traces
    WHERE expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))
