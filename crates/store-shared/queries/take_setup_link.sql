-- $1: MAC of the token; $2: now.
DELETE FROM setup_links
WHERE id = 1
    AND token_mac = $1
    AND expires_at > $2
