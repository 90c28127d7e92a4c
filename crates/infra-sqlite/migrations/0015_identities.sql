-- Identities at outside providers that are linked to users. It only adds: the release before runs on it.
CREATE TABLE identities (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The provider through which it was last used.
    provider TEXT NOT NULL CHECK (provider <> ''),
    issuer TEXT NOT NULL CHECK (issuer <> ''),
    subject TEXT NOT NULL CHECK (subject <> ''),
    -- The address at the provider, when it was last used.
    email TEXT,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX identities_by_subject ON identities (issuer, subject);
CREATE INDEX identities_by_user ON identities (user_id, created_at, id);

-- Outside providers, besides those of the configuration.
CREATE TABLE providers (
    name TEXT NOT NULL PRIMARY KEY CHECK (name <> ''),
    -- The settings, without the secret: JSON.
    document TEXT NOT NULL,
    sealed_secret BLOB,
    is_enabled INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
