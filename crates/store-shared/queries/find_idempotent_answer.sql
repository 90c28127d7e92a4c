SELECT fingerprint, sealed_answer, held_until, kept_until
FROM idempotency_keys
WHERE key = $1
