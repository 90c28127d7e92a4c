-- $1: session; $2: when; $3: the same if it was a second factor.
UPDATE sessions
SET proven_at = $2,
    second_factor_at = coalesce($3, second_factor_at)
WHERE id = $1
