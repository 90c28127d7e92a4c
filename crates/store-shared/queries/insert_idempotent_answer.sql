-- $1: key; $2: fingerprint; $3: now; $4: kept until; $5: sealed answer.
INSERT INTO idempotency_keys (key, fingerprint, held_until, kept_until, sealed_answer)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (key) DO UPDATE
SET fingerprint = excluded.fingerprint,
    held_until = excluded.held_until,
    kept_until = excluded.kept_until,
    sealed_answer = excluded.sealed_answer
WHERE idempotency_keys.kept_until <= $3
    OR (idempotency_keys.sealed_answer IS NULL AND idempotency_keys.held_until <= $3)
