-- $1: a JSON array of [id in hexadecimal, moment].
UPDATE api_keys
SET last_used_at = used.at
FROM (
    SELECT unhex(value ->> 0) AS id, max(value ->> 1) AS at
    FROM json_each($1)
    GROUP BY 1
) AS used
WHERE api_keys.id = used.id
    AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < used.at)
