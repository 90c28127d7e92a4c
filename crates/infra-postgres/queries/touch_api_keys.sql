-- $1, $2: ids and moments, side by side. A row that somebody holds is not waited for: its moment is no promise, and
-- whoever waits while holding others can be waited for by them.
UPDATE api_keys
SET last_used_at = used.at
FROM (
    SELECT api_keys.id, used.at
    FROM (
        SELECT id, max(at) AS at
        FROM unnest($1::uuid[], $2::bigint[]) AS used (id, at)
        GROUP BY id
    ) AS used
    JOIN api_keys ON api_keys.id = used.id
    WHERE (api_keys.last_used_at IS NULL OR api_keys.last_used_at < used.at)
    FOR NO KEY UPDATE OF api_keys SKIP LOCKED
) AS used
WHERE api_keys.id = used.id
