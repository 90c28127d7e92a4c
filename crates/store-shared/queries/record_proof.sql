-- $1: session; $2: when; $3: the same if it was a second factor; $4: the same if it was a passkey or a security key.
UPDATE sessions
SET proven_at = $2,
    second_factor_at = coalesce($3, second_factor_at),
    passkey_at = coalesce($4, passkey_at)
WHERE id = $1
