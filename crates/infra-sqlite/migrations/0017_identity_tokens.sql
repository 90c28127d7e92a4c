-- Tokens of outside providers. It only adds: the release before runs on it.
CREATE TABLE identity_tokens (
    identity_id BLOB NOT NULL PRIMARY KEY REFERENCES identities (id) ON DELETE CASCADE,
    -- The provider that issued them.
    provider TEXT NOT NULL CHECK (provider <> ''),
    sealed BLOB NOT NULL,
    -- Replaced with each change.
    revision BLOB NOT NULL CHECK (length(revision) = 16),
    -- One request at a time refreshes them.
    leased_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX identity_tokens_by_provider ON identity_tokens (provider, identity_id);

-- Tokens of a browser sign-in, until the application exchanges its code.
CREATE TABLE identity_token_drafts (
    flow_id BLOB NOT NULL PRIMARY KEY CHECK (length(flow_id) = 16),
    sealed BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX identity_token_drafts_by_end ON identity_token_drafts (expires_at);
