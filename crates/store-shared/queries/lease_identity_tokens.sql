UPDATE identity_tokens
SET leased_until = $4
WHERE identity_id = $1 AND revision = $2 AND leased_until <= $3
