-- $1, $2: the place before which the page begins; $3: created after; $4: limit; $5: offset.
-- $6: status; $7, $8: the range of the prefix, half open. Null does not narrow.
SELECT
    id AS "id: Uuid",
    email,
    email_verified AS "email_verified: bool",
    name,
    role,
    status,
    created_at,
    updated_at,
    last_sign_in_at,
    version,
    locale,
    attributes,
    app_attributes,
    delete_after,
    status_before_deletion
FROM users INDEXED BY users_by_status
WHERE status = $6
    AND created_at > $3
    AND (created_at, id) < ($1, $2)
    AND ($7 IS NULL OR (email >= $7 AND email < $8) OR (name_key >= $7 AND name_key < $8))
ORDER BY created_at DESC, id DESC
LIMIT $4 OFFSET $5
