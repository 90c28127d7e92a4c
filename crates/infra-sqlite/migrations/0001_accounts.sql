-- Ids are UUIDs of 16 bytes, moments are microseconds since the Unix epoch, JSON is text.
-- Text is normalised before it gets here and compares byte by byte.

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    email TEXT NOT NULL CHECK (email <> ''),
    email_verified INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
    name TEXT NOT NULL CHECK (name <> ''),
    -- The name as it is searched.
    name_key TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role <> ''),
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled', 'invited')),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_sign_in_at INTEGER,
    version INTEGER NOT NULL CHECK (version > 0),
    -- Last, because it is the long one: the columns before it are read without its overflow pages.
    attributes TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX users_by_email ON users (email);
CREATE INDEX users_by_name ON users (name_key);
CREATE INDEX users_by_created ON users (created_at, id);
CREATE INDEX users_by_role ON users (role, created_at, id);
CREATE INDEX users_by_status ON users (status, created_at, id);
CREATE INDEX users_by_role_status ON users (role, status, created_at, id);

CREATE TABLE passwords (
    user_id BLOB NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    hash TEXT NOT NULL CHECK (hash <> ''),
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- How often it was refreshed; the refresh token of each generation is derived, not kept.
    generation INTEGER NOT NULL CHECK (generation >= 0),
    created_at INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    idle_expires_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER,
    end_reason TEXT CHECK (end_reason <> ''),
    address TEXT,
    user_agent TEXT,
    label TEXT,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_user ON sessions (user_id, created_at, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE signing_keys (
    id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
    sequence INTEGER NOT NULL UNIQUE CHECK (sequence > 0),
    algorithm TEXT NOT NULL CHECK (algorithm <> ''),
    public_key BLOB NOT NULL,
    sealed_private_key BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE idempotency_keys (
    key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    held_until INTEGER NOT NULL,
    kept_until INTEGER NOT NULL,
    sealed_answer BLOB
) STRICT;

CREATE INDEX idempotency_keys_by_end ON idempotency_keys (kept_until);
