-- $1: key; $2: now; $3: how many there are; $4: when the window ends.
INSERT INTO budgets (key, spent, begun_at, blocked_until, forgotten_at)
VALUES ($1, 1, $2, 0, $4)
ON CONFLICT (key) DO UPDATE
SET spent = CASE WHEN budgets.forgotten_at <= $2 THEN 1 ELSE budgets.spent + 1 END,
    begun_at = CASE WHEN budgets.forgotten_at <= $2 THEN $2 ELSE budgets.begun_at END,
    forgotten_at = CASE WHEN budgets.forgotten_at <= $2 THEN $4 ELSE budgets.forgotten_at END
WHERE budgets.forgotten_at <= $2
    OR budgets.spent < $3
