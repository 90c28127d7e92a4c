DELETE FROM identity_tokens
WHERE identity_id = $1 AND revision = $2
