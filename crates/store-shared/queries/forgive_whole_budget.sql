DELETE FROM budgets WHERE key = $1
