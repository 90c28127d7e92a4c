-- $1: rows, as a JSON array of arrays.
INSERT INTO users (
    id, email, email_verified, name, name_key, role, status, attributes,
    created_at, updated_at, last_sign_in_at, version, locale, app_attributes,
    delete_after, status_before_deletion, deletion_due_at
)
SELECT
    unhex(value ->> 0),
    value ->> 1,
    value ->> 2,
    value ->> 3,
    value ->> 4,
    value ->> 5,
    value ->> 6,
    value ->> 7,
    value ->> 8,
    value ->> 9,
    value ->> 10,
    value ->> 11,
    value ->> 12,
    value ->> 13,
    value ->> 14,
    value ->> 15,
    value ->> 14
FROM json_each($1)
WHERE true
ORDER BY key
ON CONFLICT DO NOTHING
RETURNING id AS "id!: Uuid"
