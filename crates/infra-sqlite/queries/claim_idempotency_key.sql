-- $1: key; $2: fingerprint; $3: held until; $4: kept until; $5: now.
INSERT INTO idempotency_keys (key, fingerprint, held_until, kept_until, sealed_answer)
VALUES ($1, $2, $3, $4, NULL)
ON CONFLICT (key) DO UPDATE
SET fingerprint = excluded.fingerprint,
    held_until = excluded.held_until,
    kept_until = excluded.kept_until,
    sealed_answer = NULL
WHERE idempotency_keys.kept_until <= $5
    OR (
        idempotency_keys.sealed_answer IS NULL
        AND idempotency_keys.held_until <= $5
        AND idempotency_keys.fingerprint = excluded.fingerprint
    )
