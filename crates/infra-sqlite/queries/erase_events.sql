-- $1: rows, as a JSON array of arrays: position, digest of the origin or nothing, digest of personal data or nothing, data
-- without it or nothing. Two that erase different parts of a record do not undo each other.
UPDATE events SET
    address = CASE WHEN value ->> 1 IS NULL THEN address END,
    user_agent = CASE WHEN value ->> 1 IS NULL THEN user_agent END,
    erased_origin = coalesce(unhex(value ->> 1), erased_origin),
    erased_data = coalesce(unhex(value ->> 2), erased_data),
    data = coalesce(value ->> 3, data)
FROM json_each($1)
WHERE position = value ->> 0 AND form = 3
