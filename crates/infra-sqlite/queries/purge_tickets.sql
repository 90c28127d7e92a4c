-- $1: now; $2: how many at most.
DELETE FROM event_tickets
WHERE id IN (
    SELECT id
    FROM event_tickets INDEXED BY event_tickets_by_end
    WHERE expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
)
