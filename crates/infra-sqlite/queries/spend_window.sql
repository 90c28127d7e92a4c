-- $1: key; $2: now; $3: how many there are; $4: when the window ends.
INSERT INTO budgets (key, spent, begun_at, blocked_until, forgotten_at)
VALUES ($1, 1, $2, 0, $4)
ON CONFLICT (key) DO UPDATE
SET spent = iif(budgets.forgotten_at <= $2, 1, budgets.spent + 1),
    begun_at = iif(budgets.forgotten_at <= $2, $2, budgets.begun_at),
    forgotten_at = iif(budgets.forgotten_at <= $2, $4, budgets.forgotten_at)
WHERE budgets.forgotten_at <= $2 OR budgets.spent < $3
