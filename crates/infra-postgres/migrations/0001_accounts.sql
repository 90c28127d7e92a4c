-- Moments are microseconds since the Unix epoch, JSON is text: `jsonb` would change numbers and refuse U+0000.
-- Text is normalised before it gets here and compares byte by byte, hence COLLATE "C".

CREATE TABLE users (
    id uuid NOT NULL PRIMARY KEY,
    email text COLLATE "C" NOT NULL CHECK (email <> ''),
    email_verified boolean NOT NULL,
    name text NOT NULL CHECK (name <> ''),
    -- The name as it is searched.
    name_key text COLLATE "C" NOT NULL,
    role text COLLATE "C" NOT NULL CHECK (role <> ''),
    status text COLLATE "C" NOT NULL CHECK (status IN ('active', 'disabled', 'invited')),
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    last_sign_in_at bigint,
    version bigint NOT NULL CHECK (version > 0),
    attributes text NOT NULL
);

CREATE UNIQUE INDEX users_by_email ON users (email);
CREATE INDEX users_by_name ON users (name_key);
CREATE INDEX users_by_created ON users (created_at, id);
CREATE INDEX users_by_role ON users (role, created_at, id);
CREATE INDEX users_by_status ON users (status, created_at, id);
CREATE INDEX users_by_role_status ON users (role, status, created_at, id);

CREATE TABLE passwords (
    user_id uuid NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    hash text NOT NULL CHECK (hash <> ''),
    changed_at bigint NOT NULL
);

CREATE TABLE sessions (
    id uuid NOT NULL PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- How often it was refreshed; the refresh token of each generation is derived, not kept.
    generation bigint NOT NULL CHECK (generation >= 0),
    created_at bigint NOT NULL,
    refreshed_at bigint NOT NULL,
    idle_expires_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    ended_at bigint,
    end_reason text CHECK (end_reason <> ''),
    address text,
    user_agent text,
    label text,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);

CREATE INDEX sessions_by_user ON sessions (user_id, created_at, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE signing_keys (
    id text COLLATE "C" NOT NULL PRIMARY KEY CHECK (id <> ''),
    sequence bigint NOT NULL UNIQUE CHECK (sequence > 0),
    algorithm text NOT NULL CHECK (algorithm <> ''),
    public_key bytea NOT NULL,
    sealed_private_key bytea NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE idempotency_keys (
    key bytea NOT NULL PRIMARY KEY CHECK (octet_length(key) = 32),
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    held_until bigint NOT NULL,
    kept_until bigint NOT NULL,
    sealed_answer bytea
);

CREATE INDEX idempotency_keys_by_end ON idempotency_keys (kept_until);
