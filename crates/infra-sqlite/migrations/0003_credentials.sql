-- Mail, links and codes that are good once, second factors, and what is counted of them. It only adds: the release
-- before runs on it.

-- The language that a user reads (BCP 47); unknown when nothing is said.
ALTER TABLE users ADD COLUMN locale TEXT CHECK (locale <> '');

-- Whether those who have the role must prove a second factor.
ALTER TABLE roles ADD COLUMN second_factor TEXT NOT NULL DEFAULT 'optional'
CHECK (second_factor IN ('optional', 'required'));

-- When the user last proved any factor in the session, and when a second one. Unknown of the sessions that are there.
ALTER TABLE sessions ADD COLUMN proven_at INTEGER;
ALTER TABLE sessions ADD COLUMN second_factor_at INTEGER;

-- Mail that is yet to be sent: written with the change that is its reason. It holds no link and no code; whoever sends
-- it derives them from what the subject names.
CREATE TABLE outbox (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind TEXT NOT NULL CHECK (kind <> ''),
    -- The one-time token or the challenge that it is about.
    subject_id BLOB CHECK (length(subject_id) = 16),
    recipient TEXT NOT NULL CHECK (recipient <> ''),
    name TEXT NOT NULL,
    locale TEXT CHECK (locale <> ''),
    created_at INTEGER NOT NULL,
    -- From when it is not worth sending any more.
    expires_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    -- When it is to be tried next; while a worker tries it, when another one may.
    due_at INTEGER NOT NULL
) STRICT;

CREATE INDEX outbox_by_due ON outbox (due_at, id);

-- Links that are good once. The token is derived from the id: nothing here opens anything.
CREATE TABLE one_time_tokens (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose TEXT NOT NULL CHECK (purpose <> ''),
    -- The address that it was sent to.
    email TEXT NOT NULL CHECK (email <> ''),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- A new one takes the place of the one before.
    UNIQUE (user_id, purpose)
) STRICT;

CREATE INDEX one_time_tokens_by_end ON one_time_tokens (expires_at);

-- Sign-ins that are not finished: another factor, or the code from a mail, is still owed.
CREATE TABLE challenges (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- Nobody's, when a code was asked for an address that nobody has: it costs as much as any other, and is never met.
    user_id BLOB REFERENCES users (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind <> ''),
    label TEXT,
    tries_left INTEGER NOT NULL CHECK (tries_left >= 0),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX challenges_by_user ON challenges (user_id);
CREATE INDEX challenges_by_end ON challenges (expires_at);

-- Time-based one-time passwords (RFC 6238), one secret a user.
CREATE TABLE totp_factors (
    user_id BLOB NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sealed_secret BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    -- Before it is confirmed it counts for nothing.
    confirmed_at INTEGER,
    -- The time step of the last code that was taken: a code is used once.
    last_step INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_codes (
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- A MAC under a key that is not in the database.
    code_hash BLOB NOT NULL CHECK (length(code_hash) = 32),
    PRIMARY KEY (user_id, code_hash)
) STRICT, WITHOUT ROWID;

-- What is counted against a canonical key: failures of an account, of an address, mail to an address. The key is a MAC.
CREATE TABLE budgets (
    key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    spent INTEGER NOT NULL CHECK (spent >= 0),
    -- When the first of them was spent.
    begun_at INTEGER NOT NULL,
    -- Until when nothing more may be spent.
    blocked_until INTEGER NOT NULL,
    -- When all of it is forgotten.
    forgotten_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX budgets_by_end ON budgets (forgotten_at);
