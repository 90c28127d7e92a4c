-- How many rows each index would read to answer a search, counted up to $1, and the position at which $1 rows of those with
-- the first character of the prefix have been read; null when there are fewer.
-- $2, $3: the range of the prefix, half open; $4, $5: the position before which the page begins; $6, $7: the position after
-- which it ends; $8: role; $9: status.
SELECT
    (
        SELECT count(*) FROM (SELECT 1 FROM users WHERE email >= $2 AND email < $3 LIMIT $1) AS addresses
    ) + (
        SELECT count(*) FROM (SELECT 1 FROM users WHERE name_key >= $2 AND name_key < $3 LIMIT $1) AS names
    ) AS "matches!",
    CASE
        WHEN $8::text IS NOT NULL AND $9::text IS NOT NULL THEN (
            SELECT count(*)
            FROM (
                SELECT 1
                FROM users
                WHERE role = $8 AND status = $9
                    AND (created_at, id) < ($4, $5)
                    AND (created_at, id) > ($6, $7)
                LIMIT $1
            ) AS narrowed
        )
        WHEN $8 IS NOT NULL THEN (
            SELECT count(*)
            FROM (
                SELECT 1
                FROM users
                WHERE role = $8
                    AND (created_at, id) < ($4, $5)
                    AND (created_at, id) > ($6, $7)
                LIMIT $1
            ) AS narrowed
        )
        WHEN $9 IS NOT NULL THEN (
            SELECT count(*)
            FROM (
                SELECT 1
                FROM users
                WHERE status = $9
                    AND (created_at, id) < ($4, $5)
                    AND (created_at, id) > ($6, $7)
                LIMIT $1
            ) AS narrowed
        )
    END AS "narrowed?",
    last.created_at AS "end_created_at?",
    last.id AS "end_id?"
FROM (SELECT 1) AS one
LEFT JOIN (
    SELECT created_at, id
    FROM (
        (
            SELECT created_at, id
            FROM users
            WHERE left(email, 1) = left($2, 1)
                AND (created_at, id) < ($4, $5)
                AND (created_at, id) > ($6, $7)
            ORDER BY created_at DESC, id DESC
            LIMIT 1 OFFSET $1::bigint - 1
        )
        UNION ALL
        (
            SELECT created_at, id
            FROM users
            WHERE left(name_key, 1) = left($2, 1)
                AND (created_at, id) < ($4, $5)
                AND (created_at, id) > ($6, $7)
            ORDER BY created_at DESC, id DESC
            LIMIT 1 OFFSET $1::bigint - 1
        )
    ) AS ends
    ORDER BY created_at DESC, id DESC
    LIMIT 1
) AS last ON true
