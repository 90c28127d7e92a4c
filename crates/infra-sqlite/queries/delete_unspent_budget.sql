DELETE FROM budgets WHERE key = $1 AND spent = 0
