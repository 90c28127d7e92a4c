DELETE FROM used_flows
WHERE id = ANY (ARRAY(
    SELECT id FROM used_flows
    WHERE expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))
