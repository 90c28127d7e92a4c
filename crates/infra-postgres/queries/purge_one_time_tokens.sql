DELETE FROM one_time_tokens
WHERE id = ANY (ARRAY(
    SELECT id FROM one_time_tokens
    WHERE expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))
