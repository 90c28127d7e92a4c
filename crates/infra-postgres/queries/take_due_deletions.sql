-- $1: the current time; $2: when they are due again; $3: limit. What another one takes at this moment is passed over.
-- ARRAY: a sub-query might run more than once, and take more. IS TRUE: a filter, not a reason to go by another index. A
-- node of the previous release may have enabled a user.
UPDATE users
SET deletion_due_at = $2
WHERE id = ANY (ARRAY(
    SELECT id
    FROM users
    WHERE deletion_due_at <= $1 AND (status = 'disabled') IS TRUE
    ORDER BY deletion_due_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
))
RETURNING id
