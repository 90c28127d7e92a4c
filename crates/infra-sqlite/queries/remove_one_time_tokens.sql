-- $1: the user; $2: a JSON array of purposes.
DELETE FROM one_time_tokens
WHERE user_id = $1
    AND purpose IN (SELECT value FROM json_each($2))
