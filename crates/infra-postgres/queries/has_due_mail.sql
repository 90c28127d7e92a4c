SELECT EXISTS (
    SELECT 1 FROM outbox WHERE due_at <= $1
) AS "is_due!"
