-- Webhooks and what is delivered to them. It only adds: the release before runs on it, and tells nobody.

CREATE TABLE webhooks (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    url TEXT NOT NULL CHECK (url <> ''),
    description TEXT NOT NULL,
    -- Selections of types between spaces; empty for all.
    types TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    -- The last record of the log that it is not told of.
    since_position INTEGER NOT NULL,
    sealed_secret BLOB NOT NULL,
    -- The secret before, and until when requests are signed with it as well.
    sealed_previous_secret BLOB,
    previous_until INTEGER,
    -- How many requests failed since the last that did not, and until when it is left alone.
    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
    paused_until INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    CHECK ((sealed_previous_secret IS NULL) = (previous_until IS NULL))
) STRICT;

CREATE INDEX webhooks_by_created ON webhooks (created_at, id);

-- How far the log was fanned out.
CREATE TABLE webhook_cursor (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL CHECK (position >= 0)
) STRICT;

INSERT INTO webhook_cursor (id, position) SELECT 1, head_position FROM event_log;

CREATE TABLE deliveries (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    webhook_id BLOB NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_position INTEGER NOT NULL,
    event_id BLOB NOT NULL CHECK (length(event_id) = 16),
    type TEXT NOT NULL CHECK (type <> ''),
    -- Whom or what the event concerns; empty when nothing is said.
    subject TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'parked')),
    attempts INTEGER NOT NULL DEFAULT 0,
    -- Nothing while an earlier one about the same subject is pending, and when it is not.
    due_at INTEGER,
    -- Until when it is being made.
    taken_until INTEGER,
    gives_up_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_attempt_at INTEGER,
    last_status INTEGER,
    last_latency_ms INTEGER,
    last_answer TEXT,
    last_error TEXT
) STRICT;

CREATE UNIQUE INDEX deliveries_by_event ON deliveries (webhook_id, event_position);
CREATE INDEX deliveries_by_created ON deliveries (webhook_id, created_at, id);
CREATE INDEX deliveries_by_state ON deliveries (webhook_id, state, created_at, id);
CREATE INDEX deliveries_by_end ON deliveries (created_at) WHERE state <> 'pending';
CREATE INDEX deliveries_by_due ON deliveries (webhook_id, due_at, event_position)
WHERE state = 'pending' AND due_at IS NOT NULL;
CREATE INDEX deliveries_by_subject ON deliveries (webhook_id, subject, event_position) WHERE state = 'pending';
CREATE INDEX deliveries_by_turn ON deliveries (webhook_id, subject) WHERE state = 'pending' AND due_at IS NOT NULL;
CREATE INDEX deliveries_by_patience ON deliveries (webhook_id, gives_up_at) WHERE state = 'pending';
