-- Passkeys, and the flows that were finished. It only adds: the release before runs on it, and does not ask the users of
-- passkeys for a second factor.

-- Flows whose sealed state was used, until the state expires: each is finished once.
CREATE TABLE used_flows (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX used_flows_by_end ON used_flows (expires_at);

CREATE TABLE passkeys (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The handle of the user for their authenticators: the same for all passkeys of a user.
    user_handle BLOB NOT NULL CHECK (length(user_handle) = 16),
    credential_id BLOB NOT NULL UNIQUE CHECK (length(credential_id) BETWEEN 1 AND 1023),
    -- The public key and its properties at the registration (JSON).
    credential TEXT NOT NULL CHECK (credential <> ''),
    name TEXT NOT NULL CHECK (name <> ''),
    aaguid BLOB NOT NULL CHECK (length(aaguid) = 16),
    -- Names of transports between spaces.
    transports TEXT NOT NULL,
    backup_eligible INTEGER NOT NULL CHECK (backup_eligible IN (0, 1)),
    backed_up INTEGER NOT NULL CHECK (backed_up IN (0, 1)),
    counter INTEGER NOT NULL CHECK (counter >= 0),
    created_at INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;

CREATE INDEX passkeys_by_user ON passkeys (user_id, created_at, id);
