-- $1: the current time; $2: when they are due again; $3: limit. A node of the previous release may have enabled a user.
-- +status: a filter, not a reason to go by another index.
UPDATE users
SET deletion_due_at = $2
WHERE id IN (
    SELECT id
    FROM users
    WHERE deletion_due_at <= $1 AND +status = 'disabled'
    ORDER BY deletion_due_at
    LIMIT $3
)
RETURNING id AS "id!: Uuid"
