DELETE FROM budgets
WHERE key = ANY (ARRAY(
    SELECT key FROM budgets
    WHERE forgotten_at <= $1
    ORDER BY forgotten_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))
