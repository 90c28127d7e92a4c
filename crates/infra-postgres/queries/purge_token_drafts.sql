DELETE FROM identity_token_drafts
WHERE flow_id = ANY (ARRAY(
    SELECT flow_id FROM identity_token_drafts
    WHERE expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))
