-- $1, $2: ids and moments, side by side. A row that somebody holds is not waited for: its moment is no promise, and
-- whoever waits while holding others can be waited for by them.
UPDATE sessions
SET last_used_at = used.at
FROM (
    SELECT sessions.id, used.at
    FROM (
        SELECT id, max(at) AS at
        FROM unnest($1::uuid[], $2::bigint[]) AS used (id, at)
        GROUP BY id
    ) AS used
    JOIN sessions ON sessions.id = used.id
    WHERE COALESCE(sessions.last_used_at, sessions.refreshed_at) < used.at
    FOR NO KEY UPDATE OF sessions SKIP LOCKED
) AS used
WHERE sessions.id = used.id
