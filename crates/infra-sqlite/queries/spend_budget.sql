-- $1: key; $2: now; $3: how many are free; $4: the first block; $5: the longest; $6: when it is forgotten; in microseconds.
-- What is not blocked is blocked until 0, not until now: the tries of one moment do not come in its order.
INSERT INTO budgets (key, spent, begun_at, blocked_until, forgotten_at)
VALUES ($1, 1, $2, iif($3 <= 1, $2 + $4, 0), iif($3 <= 1, $2 + $4, $2) + $6)
ON CONFLICT (key) DO UPDATE
SET spent = iif(budgets.forgotten_at <= $2, 1, budgets.spent + 1),
    begun_at = iif(budgets.forgotten_at <= $2, $2, budgets.begun_at),
    blocked_until = iif(
        budgets.forgotten_at <= $2 OR budgets.spent + 1 < $3,
        excluded.blocked_until,
        $2 + min($5, $4 << min(budgets.spent + 1 - $3, 30))
    ),
    forgotten_at = iif(
        budgets.forgotten_at <= $2 OR budgets.spent + 1 < $3,
        excluded.forgotten_at,
        $2 + min($5, $4 << min(budgets.spent + 1 - $3, 30)) + $6
    )
WHERE budgets.blocked_until <= $2 OR budgets.forgotten_at <= $2
