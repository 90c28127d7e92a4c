-- Tokens of outside providers. It only adds: the release before runs on it.
CREATE TABLE identity_tokens (
    identity_id uuid NOT NULL PRIMARY KEY REFERENCES identities (id) ON DELETE CASCADE,
    -- The provider that issued them.
    provider text COLLATE "C" NOT NULL CHECK (provider <> ''),
    sealed bytea NOT NULL,
    -- Replaced with each change.
    revision uuid NOT NULL,
    -- One request at a time refreshes them.
    leased_until bigint NOT NULL
);

CREATE INDEX identity_tokens_by_provider ON identity_tokens (provider, identity_id);

-- Tokens of a browser sign-in, until the application exchanges its code.
CREATE TABLE identity_token_drafts (
    flow_id uuid NOT NULL PRIMARY KEY,
    sealed bytea NOT NULL,
    expires_at bigint NOT NULL
);

CREATE INDEX identity_token_drafts_by_end ON identity_token_drafts (expires_at);
