-- $1, $2: the place before which the page begins; $3: created after; $4: limit; $5: offset.
-- $6, $7: the range of the prefix, half open; $8: role; $9: status. Null does not narrow.
WITH hit AS (
    SELECT created_at, id
    FROM users INDEXED BY users_by_email
    WHERE email >= $6 AND email < $7
        AND created_at > $3
        AND (created_at, id) < ($1, $2)
        AND ($8 IS NULL OR role = $8)
        AND ($9 IS NULL OR status = $9)
    UNION
    SELECT created_at, id
    FROM users INDEXED BY users_by_name
    WHERE name_key >= $6 AND name_key < $7
        AND created_at > $3
        AND (created_at, id) < ($1, $2)
        AND ($8 IS NULL OR role = $8)
        AND ($9 IS NULL OR status = $9)
), page AS (
    SELECT created_at, id
    FROM hit
    ORDER BY created_at DESC, id DESC
    LIMIT $4 OFFSET $5
)
SELECT
    users.id AS "id: Uuid",
    users.email,
    users.email_verified AS "email_verified: bool",
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
CROSS JOIN users ON users.id = page.id
ORDER BY page.created_at DESC, page.id DESC
