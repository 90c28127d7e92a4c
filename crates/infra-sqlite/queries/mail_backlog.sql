-- $1: now. $2: the largest count.
SELECT count(*) AS "count!: i64", min(due_at) AS "oldest: i64"
FROM (SELECT due_at FROM outbox INDEXED BY outbox_by_due WHERE due_at <= $1 ORDER BY due_at LIMIT $2)
