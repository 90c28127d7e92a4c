-- $1: up to how many are read; $2, $3: the range of the prefix, half open; $4: created after; $5: role; $6: status.
-- Null does not narrow.
SELECT
    count(*) FILTER (
        WHERE created_at > $4
            AND ($5 IS NULL OR role = $5)
            AND ($6 IS NULL OR status = $6)
    ) AS "found!: i64",
    count(*) AS "read!: i64"
FROM (
    SELECT created_at, role, status
    FROM users INDEXED BY users_by_email
    WHERE email >= $2 AND email < $3
    UNION ALL
    SELECT created_at, role, status
    FROM users INDEXED BY users_by_name
    WHERE name_key >= $2 AND name_key < $3
        AND NOT (email >= $2 AND email < $3)
    LIMIT $1
)
