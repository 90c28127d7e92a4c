SELECT blocked_until
FROM budgets
WHERE key = $1
