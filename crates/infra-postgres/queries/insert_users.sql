-- $1: rows, as a JSON array of arrays. Two that insert the same addresses wait for each other in the order of the rows.
INSERT INTO users (
    id, email, email_verified, name, name_key, role, status, attributes,
    created_at, updated_at, last_sign_in_at, version, locale, app_attributes,
    delete_after, status_before_deletion, deletion_due_at
)
SELECT
    (value ->> 0)::uuid,
    value ->> 1,
    (value ->> 2)::boolean,
    value ->> 3,
    value ->> 4,
    value ->> 5,
    value ->> 6,
    value ->> 7,
    (value ->> 8)::bigint,
    (value ->> 9)::bigint,
    (value ->> 10)::bigint,
    (value ->> 11)::bigint,
    value ->> 12,
    value ->> 13,
    (value ->> 14)::bigint,
    value ->> 15,
    (value ->> 14)::bigint
FROM jsonb_array_elements($1::text::jsonb) WITH ORDINALITY AS rows (value, at)
ORDER BY at
ON CONFLICT DO NOTHING
RETURNING id
