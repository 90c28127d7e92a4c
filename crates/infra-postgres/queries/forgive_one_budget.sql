-- What is counted last is what blocks: less one, nothing does.
UPDATE budgets
SET spent = greatest(spent - 1, 0),
    blocked_until = 0
WHERE key = $1
