-- $1: now; $2: limit.
DELETE FROM idempotency_keys
WHERE key = ANY (ARRAY(
    SELECT key
    FROM idempotency_keys
    WHERE kept_until <= $1
    ORDER BY kept_until
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))
