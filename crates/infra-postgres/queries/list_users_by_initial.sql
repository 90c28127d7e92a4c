-- $1, $2: the position before which the page begins; $3, $4: the position after which it ends; $5: limit; $6: offset.
-- $7, $8: the range of the prefix, half open; $9: role; $10: status. Null does not narrow.
-- IS TRUE: the prefix is a filter, not a reason to go by another index and sort.
SELECT DISTINCT ON (created_at, id)
    id AS "id!",
    email AS "email!",
    email_verified AS "email_verified!",
    name AS "name!",
    role AS "role!",
    status AS "status!",
    created_at AS "created_at!",
    updated_at AS "updated_at!",
    last_sign_in_at,
    version AS "version!",
    locale,
    attributes AS "attributes!",
    app_attributes AS "app_attributes!",
    delete_after,
    status_before_deletion
FROM (
    (
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
        WHERE left(email, 1) = left($7, 1)
            AND (created_at, id) < ($1, $2)
            AND (created_at, id) > ($3, $4)
            AND ((email >= $7 AND email < $8) OR (name_key >= $7 AND name_key < $8)) IS TRUE
            AND ($9::text IS NULL OR role = $9)
            AND ($10::text IS NULL OR status = $10)
        ORDER BY created_at DESC, id DESC
        LIMIT $5::bigint + $6::bigint
    )
    UNION ALL
    (
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
        WHERE left(name_key, 1) = left($7, 1)
            AND (created_at, id) < ($1, $2)
            AND (created_at, id) > ($3, $4)
            AND ((email >= $7 AND email < $8) OR (name_key >= $7 AND name_key < $8)) IS TRUE
            AND ($9::text IS NULL OR role = $9)
            AND ($10::text IS NULL OR status = $10)
        ORDER BY created_at DESC, id DESC
        LIMIT $5::bigint + $6::bigint
    )
) AS listed
ORDER BY created_at DESC, id DESC
LIMIT $5 OFFSET $6
