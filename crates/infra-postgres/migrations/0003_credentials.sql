-- Mail, links and codes that are good once, second factors, and what is counted of them. It only adds: the release
-- before runs on it.

-- In the order in which running nodes lock them, and without a check that would have to read them all.
-- When the user last proved any factor in the session, and when a second one. Unknown of the sessions that are there.
ALTER TABLE sessions ADD COLUMN proven_at bigint, ADD COLUMN second_factor_at bigint;

-- The language that a user reads (BCP 47); unknown when nothing is said.
ALTER TABLE users ADD COLUMN locale text COLLATE "C";

-- Whether those who have the role must prove a second factor.
ALTER TABLE roles ADD COLUMN second_factor text COLLATE "C" NOT NULL DEFAULT 'optional'
CHECK (second_factor IN ('optional', 'required'));

-- Mail that is yet to be sent: written with the change that is its reason. It holds no link and no code; whoever sends
-- it derives them from what the subject names.
CREATE TABLE outbox (
    id uuid NOT NULL PRIMARY KEY,
    kind text COLLATE "C" NOT NULL CHECK (kind <> ''),
    -- The one-time token or the challenge that it is about.
    subject_id uuid,
    recipient text COLLATE "C" NOT NULL CHECK (recipient <> ''),
    name text NOT NULL,
    locale text COLLATE "C" CHECK (locale <> ''),
    created_at bigint NOT NULL,
    -- From when it is not worth sending any more.
    expires_at bigint NOT NULL,
    attempts bigint NOT NULL CHECK (attempts >= 0),
    -- When it is to be tried next; while a worker tries it, when another one may.
    due_at bigint NOT NULL
);

CREATE INDEX outbox_by_due ON outbox (due_at, id);

-- Links that are good once. The token is derived from the id: nothing here opens anything.
CREATE TABLE one_time_tokens (
    id uuid NOT NULL PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose text COLLATE "C" NOT NULL CHECK (purpose <> ''),
    -- The address that it was sent to.
    email text COLLATE "C" NOT NULL CHECK (email <> ''),
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    -- A new one takes the place of the one before.
    UNIQUE (user_id, purpose)
);

CREATE INDEX one_time_tokens_by_end ON one_time_tokens (expires_at);

-- Sign-ins that are not finished: another factor, or the code from a mail, is still owed.
CREATE TABLE challenges (
    id uuid NOT NULL PRIMARY KEY,
    -- Nobody's, when a code was asked for an address that nobody has: it costs as much as any other, and is never met.
    user_id uuid REFERENCES users (id) ON DELETE CASCADE,
    kind text COLLATE "C" NOT NULL CHECK (kind <> ''),
    label text,
    tries_left bigint NOT NULL CHECK (tries_left >= 0),
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);

CREATE INDEX challenges_by_user ON challenges (user_id);
CREATE INDEX challenges_by_end ON challenges (expires_at);

-- Time-based one-time passwords (RFC 6238), one secret a user.
CREATE TABLE totp_factors (
    user_id uuid NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sealed_secret bytea NOT NULL,
    created_at bigint NOT NULL,
    -- Before it is confirmed it counts for nothing.
    confirmed_at bigint,
    -- The time step of the last code that was taken: a code is used once.
    last_step bigint NOT NULL
);

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- A MAC under a key that is not in the database.
    code_hash bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    PRIMARY KEY (user_id, code_hash)
);

-- What is counted against a canonical key: failures of an account, of an address, mail to an address. The key is a MAC.
CREATE TABLE budgets (
    key bytea NOT NULL PRIMARY KEY CHECK (octet_length(key) = 32),
    spent bigint NOT NULL CHECK (spent >= 0),
    -- When the first of them was spent.
    begun_at bigint NOT NULL,
    -- Until when nothing more may be spent.
    blocked_until bigint NOT NULL,
    -- When all of it is forgotten.
    forgotten_at bigint NOT NULL
);

CREATE INDEX budgets_by_end ON budgets (forgotten_at);
