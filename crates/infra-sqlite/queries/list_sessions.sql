-- $1, $2: the place before which the page begins; $3: limit; $4: offset; $5: user; $6: now.
SELECT
    id AS "id: Uuid",
    user_id AS "user_id: Uuid",
    generation,
    created_at,
    refreshed_at,
    idle_expires_at,
    expires_at,
    COALESCE(last_used_at, refreshed_at) AS "last_used_at!: i64",
    coalesce(proven_at, created_at) AS "proven_at!: i64",
    second_factor_at,
    auth_methods,
    identity_id AS "identity_id: Uuid",
    address,
    user_agent,
    label
FROM sessions INDEXED BY sessions_by_user
WHERE user_id = $5
    AND (created_at, id) < ($1, $2)
    AND ended_at IS NULL
    AND idle_expires_at > $6
    AND expires_at > $6
ORDER BY created_at DESC, id DESC
LIMIT $3 OFFSET $4
