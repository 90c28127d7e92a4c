-- $1: created after; $2, $3: the range of the prefix, half open; $4: role; $5: status.
SELECT count(*) AS "count!"
FROM (
    SELECT created_at, id
    FROM users
    WHERE email >= $2 AND email < $3
        AND created_at > $1
        AND ($4::text IS NULL OR role = $4)
        AND ($5::text IS NULL OR status = $5)
    UNION
    SELECT created_at, id
    FROM users
    WHERE name_key >= $2 AND name_key < $3
        AND created_at > $1
        AND ($4::text IS NULL OR role = $4)
        AND ($5::text IS NULL OR status = $5)
) AS hit
