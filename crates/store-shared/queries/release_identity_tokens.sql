UPDATE identity_tokens
SET leased_until = 0
WHERE identity_id = $1 AND revision = $2
