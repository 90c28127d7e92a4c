DELETE FROM one_time_tokens
WHERE id IN (
    SELECT id FROM one_time_tokens INDEXED BY one_time_tokens_by_end
    WHERE expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
)
