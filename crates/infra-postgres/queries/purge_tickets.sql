-- $1: now; $2: how many at most.
DELETE FROM event_tickets
WHERE id = ANY (ARRAY(
    SELECT id
    FROM event_tickets
    WHERE expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
))
