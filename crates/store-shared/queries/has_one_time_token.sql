-- $1: user; $2: purpose; $3: now.
SELECT EXISTS (
    SELECT 1 FROM one_time_tokens
    WHERE user_id = $1
        AND purpose = $2
        AND expires_at > $3
) AS "has_token!: bool"
