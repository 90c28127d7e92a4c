DELETE FROM identity_token_drafts
WHERE flow_id = $1
RETURNING sealed
