-- Roles, service accounts, API keys, the root key, and the life of signing keys. It only adds: the release before
-- runs on it.

CREATE TABLE roles (
    id uuid NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE CHECK (name <> ''),
    description text NOT NULL,
    -- Scopes, separated by spaces. What a built-in role may do, the program knows.
    permissions text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL CHECK (version > 0)
);

CREATE INDEX roles_by_created ON roles (created_at, id);

INSERT INTO roles (id, name, description, permissions, created_at, updated_at, version)
VALUES
('00000000-0000-7000-8000-000000000001', 'admin', 'May do everything.', '', 1767225600000000, 1767225600000000, 1),
('00000000-0000-7000-8000-000000000002', 'user', 'Whoever signs up.', '', 1767225600000000, 1767225600000000, 1);

CREATE TABLE service_accounts (
    id uuid NOT NULL PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    description text NOT NULL,
    role text COLLATE "C" NOT NULL CHECK (role <> ''),
    status text COLLATE "C" NOT NULL CHECK (status IN ('active', 'disabled')),
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL CHECK (version > 0)
);

CREATE INDEX service_accounts_by_created ON service_accounts (created_at, id);
CREATE INDEX service_accounts_by_role ON service_accounts (role);

CREATE TABLE api_keys (
    id uuid NOT NULL PRIMARY KEY,
    user_id uuid REFERENCES users (id) ON DELETE CASCADE,
    service_account_id uuid REFERENCES service_accounts (id) ON DELETE CASCADE,
    name text NOT NULL CHECK (name <> ''),
    scopes text NOT NULL,
    -- A MAC of the secret under a key that is not in the database; the secret is not kept.
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    previous_hash bytea CHECK (octet_length(previous_hash) = 32),
    previous_until bigint,
    expires_at bigint,
    created_at bigint NOT NULL,
    rotated_at bigint,
    last_used_at bigint,
    version bigint NOT NULL CHECK (version > 0),
    CHECK ((user_id IS NULL) <> (service_account_id IS NULL)),
    CHECK ((previous_hash IS NULL) = (previous_until IS NULL))
);

CREATE INDEX api_keys_by_user ON api_keys (user_id, created_at, id);
CREATE INDEX api_keys_by_service_account ON api_keys (service_account_id, created_at, id);
CREATE INDEX api_keys_by_created ON api_keys (created_at, id);

-- Unknown of the sessions that are there; then the last refresh counts.
ALTER TABLE sessions ADD COLUMN last_used_at bigint;
-- A session past its idle end is over, and is removed by it.
CREATE INDEX sessions_by_idle_expiry ON sessions (idle_expires_at);
DROP INDEX sessions_by_expiry;

-- A key that says nothing signs at once.
ALTER TABLE signing_keys ADD COLUMN activates_at bigint NOT NULL DEFAULT 0;
ALTER TABLE signing_keys ADD COLUMN withdrawn_at bigint;

CREATE TABLE root_keys (
    master_id text NOT NULL PRIMARY KEY CHECK (master_id <> ''),
    sealed bytea NOT NULL,
    created_at bigint NOT NULL
);
