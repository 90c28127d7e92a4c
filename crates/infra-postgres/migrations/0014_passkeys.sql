-- Passkeys, and the flows that were finished. It only adds: the release before runs on it, and does not ask the users of
-- passkeys for a second factor.

-- Flows whose sealed state was used, until the state expires: each is finished once.
CREATE TABLE used_flows (
    id uuid NOT NULL PRIMARY KEY,
    expires_at bigint NOT NULL
);

CREATE INDEX used_flows_by_end ON used_flows (expires_at);

CREATE TABLE passkeys (
    id uuid NOT NULL PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The handle of the user for their authenticators: the same for all passkeys of a user.
    user_handle bytea NOT NULL CHECK (octet_length(user_handle) = 16),
    credential_id bytea NOT NULL UNIQUE CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    -- The public key and its properties at the registration (JSON).
    credential text NOT NULL CHECK (credential <> ''),
    name text NOT NULL CHECK (name <> ''),
    aaguid uuid NOT NULL,
    -- Names of transports between spaces.
    transports text COLLATE "C" NOT NULL,
    backup_eligible boolean NOT NULL,
    backed_up boolean NOT NULL,
    counter bigint NOT NULL CHECK (counter >= 0),
    created_at bigint NOT NULL,
    last_used_at bigint
);

CREATE INDEX passkeys_by_user ON passkeys (user_id, created_at, id);
