DELETE FROM used_flows
WHERE id IN (
    SELECT id FROM used_flows INDEXED BY used_flows_by_end
    WHERE expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
)
