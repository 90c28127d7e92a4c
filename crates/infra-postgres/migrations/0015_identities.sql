-- Identities at outside providers that are linked to users. It only adds: the release before runs on it.
CREATE TABLE identities (
    id uuid NOT NULL PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The provider through which it was last used.
    provider text COLLATE "C" NOT NULL CHECK (provider <> ''),
    issuer text COLLATE "C" NOT NULL CHECK (issuer <> ''),
    subject text COLLATE "C" NOT NULL CHECK (subject <> ''),
    -- The address at the provider, when it was last used.
    email text,
    created_at bigint NOT NULL,
    last_used_at bigint NOT NULL
);

CREATE UNIQUE INDEX identities_by_subject ON identities (issuer, subject);
CREATE INDEX identities_by_user ON identities (user_id, created_at, id);

-- Outside providers, besides those of the configuration.
CREATE TABLE providers (
    name text COLLATE "C" NOT NULL PRIMARY KEY CHECK (name <> ''),
    -- The settings, without the secret: JSON.
    document text NOT NULL,
    sealed_secret bytea,
    is_enabled boolean NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL
);
