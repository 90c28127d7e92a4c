-- $1: key; $2: now; $3: how much is admitted; $4: when the window ends; $5: how much is taken.
-- One that ends more than a minute later than a new one was begun by a clock that has been set back since: it begins anew.
-- Requests of one moment do not come in its order, and the clocks of nodes differ.
INSERT INTO budgets (key, spent, begun_at, blocked_until, forgotten_at)
VALUES ($1, $5, $2, 0, $4)
ON CONFLICT (key) DO UPDATE
SET spent = iif(budgets.forgotten_at <= $2 OR budgets.forgotten_at > $4 + 60000000, $5, budgets.spent + $5),
    begun_at = iif(budgets.forgotten_at <= $2 OR budgets.forgotten_at > $4 + 60000000, $2, budgets.begun_at),
    forgotten_at = iif(budgets.forgotten_at <= $2 OR budgets.forgotten_at > $4 + 60000000, $4, budgets.forgotten_at)
WHERE budgets.forgotten_at <= $2 OR budgets.forgotten_at > $4 + 60000000 OR budgets.spent + $5 <= $3
