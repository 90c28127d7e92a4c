-- $1, $2: the position before which the page begins; $3, $4: the position after which it ends; $5: limit; $6: offset.
-- $7, $8: the range of the prefix, half open; $9: role; $10: status. Null does not narrow.
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
FROM user_initials AS listed
CROSS JOIN users ON users.id = listed.id
WHERE listed.initial = substr($7, 1, 1)
    AND (listed.created_at, listed.id) < ($1, $2)
    AND (listed.created_at, listed.id) > ($3, $4)
    AND ((users.email >= $7 AND users.email < $8) OR (users.name_key >= $7 AND users.name_key < $8))
    AND ($9 IS NULL OR users.role = $9)
    AND ($10 IS NULL OR users.status = $10)
ORDER BY listed.created_at DESC, listed.id DESC
LIMIT $5 OFFSET $6
