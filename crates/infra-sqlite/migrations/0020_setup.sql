-- The link with which the first administrator is created in the browser. It only adds.

-- At most one row: a new link replaces the previous one.
CREATE TABLE setup_links (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    -- The MAC of the token.
    token_mac BLOB NOT NULL CHECK (length(token_mac) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
