-- $1: session; $2: when; $3: the same if it was a second factor; $4: the methods.
UPDATE sessions
SET proven_at = $2,
    second_factor_at = coalesce($3, second_factor_at),
    auth_methods = coalesce(auth_methods, 0) | $4
WHERE id = $1
