-- $1: key; $2: now; $3: how many are free; $4: the first block; $5: the longest; $6: when it is forgotten; in microseconds.
-- A block that ends later than its failures are worth was set by a clock that is behind now: it begins now.
UPDATE budgets
SET blocked_until = $2 + min($5, $4 << max(min(spent - $3, 30), 0)),
    forgotten_at = $2 + min($5, $4 << max(min(spent - $3, 30), 0)) + $6
WHERE key = $1
    AND blocked_until > $2 + min($5, $4 << max(min(spent - $3, 30), 0))
