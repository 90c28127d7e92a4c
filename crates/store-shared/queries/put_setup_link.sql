-- $1: MAC of the token; $2: creation; $3: expiry; $4: a link that was created after it stays, unless it was created more
-- than a minute later than this one: the clock was set back.
INSERT INTO setup_links (id, token_mac, created_at, expires_at)
VALUES (1, $1, $2, $3)
ON CONFLICT (id) DO UPDATE SET
    token_mac = excluded.token_mac,
    created_at = excluded.created_at,
    expires_at = excluded.expires_at
WHERE setup_links.created_at <= $4
    OR setup_links.created_at > excluded.created_at + 60000000
