DELETE FROM budgets
WHERE key IN (
    SELECT key FROM budgets INDEXED BY budgets_by_end
    WHERE forgotten_at <= $1
    ORDER BY forgotten_at
    LIMIT $2
)
