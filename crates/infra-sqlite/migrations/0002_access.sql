-- Roles, service accounts, API keys, the root key, and the life of signing keys. It only adds, and takes an index
-- that nothing names: the release before runs on it.

CREATE TABLE roles (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    description TEXT NOT NULL,
    -- Scopes, separated by spaces. What a built-in role may do, the program knows.
    permissions TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0)
) STRICT;

CREATE INDEX roles_by_created ON roles (created_at, id);

INSERT INTO roles (id, name, description, permissions, created_at, updated_at, version)
VALUES
(x'00000000000070008000000000000001', 'admin', 'May do everything.', '', 1767225600000000, 1767225600000000, 1),
(x'00000000000070008000000000000002', 'user', 'Whoever signs up.', '', 1767225600000000, 1767225600000000, 1);

CREATE TABLE service_accounts (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL CHECK (name <> ''),
    description TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role <> ''),
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0)
) STRICT;

CREATE INDEX service_accounts_by_created ON service_accounts (created_at, id);
CREATE INDEX service_accounts_by_role ON service_accounts (role);

CREATE TABLE api_keys (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB REFERENCES users (id) ON DELETE CASCADE,
    service_account_id BLOB REFERENCES service_accounts (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (name <> ''),
    scopes TEXT NOT NULL,
    -- A MAC of the secret under a key that is not in the database; the secret is not kept.
    secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),
    previous_hash BLOB CHECK (length(previous_hash) = 32),
    previous_until INTEGER,
    expires_at INTEGER,
    created_at INTEGER NOT NULL,
    rotated_at INTEGER,
    last_used_at INTEGER,
    version INTEGER NOT NULL CHECK (version > 0),
    CHECK ((user_id IS NULL) <> (service_account_id IS NULL)),
    CHECK ((previous_hash IS NULL) = (previous_until IS NULL))
) STRICT;

CREATE INDEX api_keys_by_user ON api_keys (user_id, created_at, id);
CREATE INDEX api_keys_by_service_account ON api_keys (service_account_id, created_at, id);
CREATE INDEX api_keys_by_created ON api_keys (created_at, id);

-- Unknown of the sessions that are there; then the last refresh counts.
ALTER TABLE sessions ADD COLUMN last_used_at INTEGER;
-- A session past its idle end is over, and is removed by it.
CREATE INDEX sessions_by_idle_expiry ON sessions (idle_expires_at);
DROP INDEX sessions_by_expiry;

-- A key that says nothing signs at once.
ALTER TABLE signing_keys ADD COLUMN activates_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE signing_keys ADD COLUMN withdrawn_at INTEGER;

CREATE TABLE root_keys (
    master_id TEXT NOT NULL PRIMARY KEY CHECK (master_id <> ''),
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
