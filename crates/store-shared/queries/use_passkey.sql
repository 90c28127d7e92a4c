-- $1: passkey; $2: its counter; $3: whether it is synchronized; $4: when it was used; $5: the relying party.
-- Authenticators without a counter always report 0.
UPDATE passkeys
SET counter = $2,
    backed_up = $3,
    last_used_at = $4,
    rp_id = coalesce(rp_id, $5)
WHERE id = $1
    AND (counter < $2 OR (counter = 0 AND $2 = 0))
