-- $1, $2: the range of the prefix, half open; $3: created after; $4: role; $5: status. Null does not narrow, but one of the
-- two is given.
SELECT count(*) AS "count!"
FROM (
    SELECT email, name_key
    FROM users
    WHERE role = $4
        AND status = $5
        AND created_at > $3
    UNION ALL
    SELECT email, name_key
    FROM users
    WHERE $5::text IS NULL
        AND role = $4
        AND created_at > $3
    UNION ALL
    SELECT email, name_key
    FROM users
    WHERE $4::text IS NULL
        AND status = $5
        AND created_at > $3
) AS narrowed
WHERE (email >= $1 AND email < $2)
    OR (name_key >= $1 AND name_key < $2)
