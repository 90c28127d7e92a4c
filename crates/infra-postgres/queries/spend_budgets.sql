-- $1: keys; $2: how many are free; $3: the first block; $4: the longest; $5: when it is forgotten; $6: now; moments and
-- times in microseconds. Nothing is counted when one is seen to be blocked. One that another try blocks at this very
-- moment is not counted: its row is missing. What is not blocked is blocked until 0, not until now: the tries of one
-- moment do not come in its order.
WITH wanted AS (
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
    AS wanted (key, free, delay, longest, quiet)
),
blocked AS (
    SELECT
        max(budgets.blocked_until) AS until,
        bool_or(
            budgets.blocked_until > $6 + least(
                wanted.longest,
                wanted.delay << greatest(least(budgets.spent - wanted.free, 30), 0)::integer
            )
        ) AS is_too_long
    FROM wanted
    JOIN budgets ON budgets.key = wanted.key
    WHERE budgets.blocked_until > $6
        AND budgets.forgotten_at > $6
),
spent AS (
    INSERT INTO budgets AS kept (key, spent, begun_at, blocked_until, forgotten_at)
    SELECT
        wanted.key,
        1,
        $6,
        CASE WHEN wanted.free <= 1 THEN $6 + wanted.delay ELSE 0 END,
        CASE WHEN wanted.free <= 1 THEN $6 + wanted.delay ELSE $6 END + wanted.quiet
    FROM wanted, blocked
    WHERE blocked.until IS NULL
    ON CONFLICT (key) DO UPDATE
    SET (spent, begun_at, blocked_until, forgotten_at) = (
        SELECT
            CASE WHEN kept.forgotten_at <= $6 THEN 1 ELSE kept.spent + 1 END,
            CASE WHEN kept.forgotten_at <= $6 THEN $6 ELSE kept.begun_at END,
            next.blocked_until,
            greatest(next.blocked_until, $6) + wanted.quiet
        FROM wanted, LATERAL (
            SELECT CASE
                WHEN kept.forgotten_at <= $6 OR kept.spent + 1 < wanted.free THEN excluded.blocked_until
                ELSE $6 + least(wanted.longest, wanted.delay << least(kept.spent + 1 - wanted.free, 30)::integer)
            END AS blocked_until
        ) AS next
        WHERE wanted.key = kept.key
    )
    WHERE kept.blocked_until <= $6
        OR kept.forgotten_at <= $6
    RETURNING kept.key
)
SELECT
    (SELECT until FROM blocked) AS "blocked_until?",
    (SELECT is_too_long FROM blocked) AS "is_too_long?",
    ARRAY(SELECT key FROM spent) AS "spent!"
