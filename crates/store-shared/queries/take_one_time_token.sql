-- $1: token; $2: purpose; $3: now.
DELETE FROM one_time_tokens
WHERE id = $1
    AND purpose = $2
    AND expires_at > $3
RETURNING
    user_id AS "user_id: Uuid",
    email,
    session_id AS "session_id: Uuid",
    created_at,
    expires_at
