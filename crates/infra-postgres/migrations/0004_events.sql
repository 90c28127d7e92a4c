-- The log of what happened. It only adds: the release before runs on it, and what it does is not in the log.

-- Where the log begins and ends. Each record carries a hash over itself and the hash of the one before. Whoever gives
-- records their place holds this row.
CREATE TABLE event_log (
    id smallint NOT NULL PRIMARY KEY CHECK (id = 1),
    -- The last record that was removed.
    floor_position bigint NOT NULL CHECK (floor_position >= 0),
    floor_hash bytea NOT NULL CHECK (octet_length(floor_hash) = 32),
    -- The last record there is.
    head_position bigint NOT NULL CHECK (head_position >= floor_position),
    head_hash bytea NOT NULL CHECK (octet_length(head_hash) = 32)
);

INSERT INTO event_log (id, floor_position, floor_hash, head_position, head_hash)
VALUES (1, 0, decode(repeat('00', 32), 'hex'), 0, decode(repeat('00', 32), 'hex'));

-- What happened and has no place in the log yet: written with the transaction that did it, numbered after its commit.
-- The sequence is drawn last in a transaction, while it holds what it changed: of two that change the same thing, the
-- later has the higher number.
CREATE TABLE pending_events (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL,
    type text COLLATE "C" NOT NULL CHECK (type <> ''),
    subject text COLLATE "C",
    actor_type text COLLATE "C" NOT NULL CHECK (actor_type <> ''),
    actor_id uuid,
    credential_type text COLLATE "C",
    credential_id uuid,
    address text,
    user_agent text,
    occurred_at bigint NOT NULL,
    data text NOT NULL
);

-- The log, numbered without a gap.
CREATE TABLE events (
    position bigint NOT NULL PRIMARY KEY CHECK (position > 0),
    id uuid NOT NULL,
    type text COLLATE "C" NOT NULL CHECK (type <> ''),
    -- Whom or what it concerns.
    subject text COLLATE "C",
    actor_type text COLLATE "C" NOT NULL CHECK (actor_type <> ''),
    actor_id uuid,
    credential_type text COLLATE "C",
    credential_id uuid,
    address text,
    user_agent text,
    occurred_at bigint NOT NULL,
    data text NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);

CREATE INDEX events_by_subject ON events (subject, position);
CREATE INDEX events_by_actor ON events (actor_id, position) WHERE actor_id IS NOT NULL;
CREATE INDEX events_by_time ON events (occurred_at, position);
