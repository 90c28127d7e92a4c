-- $1: key; $2: now; $3: how much is admitted; $4: when the window ends; $5: how much is taken.
-- One that ends more than a minute later than a new one was begun by a clock that has been set back since: it begins anew.
-- Requests of one moment do not come in its order, and the clocks of nodes differ.
INSERT INTO budgets (key, spent, begun_at, blocked_until, forgotten_at)
VALUES ($1, $5, $2, 0, $4)
ON CONFLICT (key) DO UPDATE
SET spent = CASE WHEN budgets.forgotten_at <= $2 OR budgets.forgotten_at > $4 + 60000000 THEN $5 ELSE budgets.spent + $5 END,
    begun_at = CASE WHEN budgets.forgotten_at <= $2 OR budgets.forgotten_at > $4 + 60000000 THEN $2 ELSE budgets.begun_at END,
    forgotten_at = CASE
        WHEN budgets.forgotten_at <= $2 OR budgets.forgotten_at > $4 + 60000000 THEN $4
        ELSE budgets.forgotten_at
    END
WHERE budgets.forgotten_at <= $2
    OR budgets.forgotten_at > $4 + 60000000
    OR budgets.spent + $5 <= $3
