-- $1: now. $2: the largest count.
SELECT count(*) AS "count!", min(due_at) AS "oldest"
FROM (SELECT due_at FROM outbox WHERE due_at <= $1 ORDER BY due_at LIMIT $2) AS due
