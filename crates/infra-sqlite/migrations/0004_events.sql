-- The log of what happened. It only adds: the release before runs on it, and what it does is not in the log.

-- Where the log begins and ends. Each record carries a hash over itself and the hash of the one before.
CREATE TABLE event_log (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    -- The last record that was removed.
    floor_position INTEGER NOT NULL CHECK (floor_position >= 0),
    floor_hash BLOB NOT NULL CHECK (length(floor_hash) = 32),
    -- The last record there is.
    head_position INTEGER NOT NULL CHECK (head_position >= floor_position),
    head_hash BLOB NOT NULL CHECK (length(head_hash) = 32)
) STRICT;

INSERT INTO event_log (id, floor_position, floor_hash, head_position, head_hash)
VALUES (1, 0, zeroblob(32), 0, zeroblob(32));

-- Written with the transaction that did it. One writes at a time, so the order of the log is that of the commits.
CREATE TABLE events (
    position INTEGER NOT NULL PRIMARY KEY CHECK (position > 0),
    id BLOB NOT NULL CHECK (length(id) = 16),
    type TEXT NOT NULL CHECK (type <> ''),
    -- Whom or what it concerns.
    subject TEXT,
    actor_type TEXT NOT NULL CHECK (actor_type <> ''),
    actor_id BLOB CHECK (length(actor_id) = 16),
    credential_type TEXT,
    credential_id BLOB CHECK (length(credential_id) = 16),
    address TEXT,
    user_agent TEXT,
    occurred_at INTEGER NOT NULL,
    data TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE INDEX events_by_subject ON events (subject, position);
CREATE INDEX events_by_actor ON events (actor_id, position) WHERE actor_id IS NOT NULL;
CREATE INDEX events_by_time ON events (occurred_at, position);

-- The head moves with each record, without a statement of its own.
CREATE TRIGGER events_move_head AFTER INSERT ON events
BEGIN
    UPDATE event_log SET head_position = NEW.position, head_hash = NEW.hash WHERE id = 1;
END;
