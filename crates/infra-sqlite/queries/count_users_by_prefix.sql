-- $1: created after; $2, $3: the range of the prefix, half open; $4: role; $5: status.
SELECT count(*) AS "count!: i64"
FROM (
    SELECT created_at, id
    FROM users INDEXED BY users_by_email
    WHERE email >= $2 AND email < $3
        AND created_at > $1
        AND ($4 IS NULL OR role = $4)
        AND ($5 IS NULL OR status = $5)
    UNION
    SELECT created_at, id
    FROM users INDEXED BY users_by_name
    WHERE name_key >= $2 AND name_key < $3
        AND created_at > $1
        AND ($4 IS NULL OR role = $4)
        AND ($5 IS NULL OR status = $5)
) AS hit
