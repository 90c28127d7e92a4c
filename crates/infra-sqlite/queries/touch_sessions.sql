-- $1: a JSON array of [id in hexadecimal, moment].
UPDATE sessions
SET last_used_at = used.at
FROM (
    SELECT unhex(value ->> 0) AS id, max(value ->> 1) AS at
    FROM json_each($1)
    GROUP BY 1
) AS used
WHERE sessions.id = used.id
    AND COALESCE(sessions.last_used_at, sessions.refreshed_at) < used.at
