-- $1: user; $2: now.
SELECT count(*) AS "count!: i64"
FROM sessions INDEXED BY sessions_by_user
WHERE user_id = $1
    AND ended_at IS NULL
    AND idle_expires_at > $2
    AND expires_at > $2
