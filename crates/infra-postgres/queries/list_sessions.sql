-- $1, $2: the place before which the page begins; $3: limit; $4: offset; $5: user; $6: now.
SELECT
    id,
    user_id,
    generation,
    created_at,
    refreshed_at,
    idle_expires_at,
    expires_at,
    COALESCE(last_used_at, refreshed_at) AS "last_used_at!",
    coalesce(proven_at, created_at) AS "proven_at!",
    second_factor_at,
    auth_methods,
    identity_id,
    address,
    user_agent,
    label
FROM sessions
WHERE user_id = $5
    AND (created_at, id) < ($1, $2)
    AND ended_at IS NULL
    AND idle_expires_at > $6
    AND expires_at > $6
ORDER BY created_at DESC, id DESC
LIMIT $3 OFFSET $4
