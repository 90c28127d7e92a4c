UPDATE identity_tokens
SET sealed = $3, revision = $4, leased_until = 0
WHERE identity_id = $1 AND revision = $2
