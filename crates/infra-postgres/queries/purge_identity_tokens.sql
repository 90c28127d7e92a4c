DELETE FROM identity_tokens
WHERE identity_id = ANY (ARRAY(
    SELECT identity_id FROM identity_tokens
    WHERE provider = $1
    ORDER BY identity_id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))
