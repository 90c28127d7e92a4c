-- $1, $2: the place before which the page begins; $3: created after; $4: limit; $5: offset.
-- $6: the address; $7: role; $8: status; $9, $10: the range of the prefix, half open. Null does not narrow.
SELECT
    id,
    email,
    email_verified,
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
FROM users
WHERE email = $6
    AND created_at > $3
    AND (created_at, id) < ($1, $2)
    AND ($7::text IS NULL OR role = $7)
    AND ($8::text IS NULL OR status = $8)
    AND ($9::text IS NULL OR (email >= $9 AND email < $10::text) OR (name_key >= $9 AND name_key < $10))
ORDER BY created_at DESC, id DESC
LIMIT $4 OFFSET $5
