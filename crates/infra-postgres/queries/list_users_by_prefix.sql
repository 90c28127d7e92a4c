-- $1, $2: the place before which the page begins; $3: created after; $4: limit; $5: offset.
-- $6, $7: the range of the prefix, half open; $8: role; $9: status. Null does not narrow.
WITH hit AS (
    SELECT created_at, id
    FROM users
    WHERE email >= $6 AND email < $7
        AND created_at > $3
        AND (created_at, id) < ($1, $2)
        AND ($8::text IS NULL OR role = $8)
        AND ($9::text IS NULL OR status = $9)
    UNION
    SELECT created_at, id
    FROM users
    WHERE name_key >= $6 AND name_key < $7
        AND created_at > $3
        AND (created_at, id) < ($1, $2)
        AND ($8::text IS NULL OR role = $8)
        AND ($9::text IS NULL OR status = $9)
), page AS (
    SELECT created_at, id
    FROM hit
    ORDER BY created_at DESC, id DESC
    LIMIT $4 OFFSET $5
)
SELECT
    users.id,
    users.email,
    users.email_verified,
    users.name,
    users.role,
    users.status,
    users.created_at,
    users.updated_at,
    users.last_sign_in_at,
    users.version,
    users.locale,
    users.attributes,
    users.app_attributes,
    users.delete_after,
    users.status_before_deletion
FROM page
JOIN users ON users.id = page.id
ORDER BY page.created_at DESC, page.id DESC
