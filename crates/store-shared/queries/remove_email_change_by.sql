-- $1: user; $2: the purpose of address changes; $3: session. Of which session it is may be unknown.
DELETE FROM one_time_tokens
WHERE user_id = $1
    AND purpose = $2
    AND (session_id = $3 OR session_id IS NULL)
