-- $1: key; $2: the version it must have; $3: the new secret's digest; $4: until when the one of now works; $5: when.
UPDATE api_keys
SET previous_hash = secret_hash,
    previous_until = $4,
    secret_hash = $3,
    rotated_at = $5,
    version = version + 1
WHERE id = $1
    AND version = $2
