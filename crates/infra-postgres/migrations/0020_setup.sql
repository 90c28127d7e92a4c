-- The link with which the first administrator is created in the browser. It only adds.

-- At most one row: a new link replaces the previous one.
CREATE TABLE setup_links (
    id smallint NOT NULL PRIMARY KEY CHECK (id = 1),
    -- The MAC of the token.
    token_mac bytea NOT NULL CHECK (length(token_mac) = 32),
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
