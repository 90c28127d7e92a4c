SELECT EXISTS (
    SELECT 1 FROM outbox INDEXED BY outbox_by_due WHERE due_at <= $1
) AS "is_due!: bool"
