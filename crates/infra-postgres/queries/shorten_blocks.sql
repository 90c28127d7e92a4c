-- $1: keys; $2: how many are free; $3: the first block; $4: the longest; $5: when it is forgotten; $6: now; moments and
-- times in microseconds. A block that ends later than its failures are worth was set by a clock that is behind now: it
-- begins now.
WITH meant AS (
    SELECT
        budgets.key,
        wanted.quiet,
        $6 + least(
            wanted.longest,
            wanted.delay << greatest(least(budgets.spent - wanted.free, 30), 0)::integer
        ) AS until
    FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
        AS wanted (key, free, delay, longest, quiet)
    JOIN budgets ON budgets.key = wanted.key
)
UPDATE budgets
SET blocked_until = meant.until, forgotten_at = meant.until + meant.quiet
FROM meant
WHERE budgets.key = meant.key
    AND budgets.blocked_until > meant.until
