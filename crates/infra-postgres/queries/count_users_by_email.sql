-- $1: created after; $2: the address; $3: role; $4: status; $5, $6: the range of the prefix, half open.
SELECT count(*) AS "count!"
FROM users
WHERE email = $2
    AND created_at > $1
    AND ($3::text IS NULL OR role = $3)
    AND ($4::text IS NULL OR status = $4)
    AND ($5::text IS NULL OR (email >= $5 AND email < $6::text) OR (name_key >= $5 AND name_key < $6))
