-- $1: rows, as a JSON array of arrays: position, digest of the origin or nothing, digest of personal data or nothing, data
-- without it or nothing. Two that erase different parts of a record do not undo each other.
UPDATE events SET
    address = CASE WHEN value ->> 1 IS NULL THEN address END,
    user_agent = CASE WHEN value ->> 1 IS NULL THEN user_agent END,
    erased_origin = coalesce(decode(value ->> 1, 'hex'), erased_origin),
    erased_data = coalesce(decode(value ->> 2, 'hex'), erased_data),
    data = coalesce(value ->> 3, data)
FROM json_array_elements($1::text::json) AS rows (value)
WHERE position = (value ->> 0)::bigint AND form = 3
