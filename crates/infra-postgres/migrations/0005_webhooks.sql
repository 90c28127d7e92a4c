-- Webhooks and what is delivered to them. It only adds: the release before runs on it, and tells nobody.

CREATE TABLE webhooks (
    id uuid NOT NULL PRIMARY KEY,
    url text NOT NULL CHECK (url <> ''),
    description text NOT NULL,
    -- Selections of types between spaces; empty for all.
    types text NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN ('active', 'disabled')),
    -- The last record of the log that it is not told of.
    since_position bigint NOT NULL,
    sealed_secret bytea NOT NULL,
    -- The secret before, and until when requests are signed with it as well.
    sealed_previous_secret bytea,
    previous_until bigint,
    -- How many requests failed since the last that did not, and until when it is left alone.
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    paused_until bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL,
    CHECK ((sealed_previous_secret IS NULL) = (previous_until IS NULL))
);

CREATE INDEX webhooks_by_created ON webhooks (created_at, id);

-- How far the log was fanned out.
CREATE TABLE webhook_cursor (
    id smallint NOT NULL PRIMARY KEY CHECK (id = 1),
    position bigint NOT NULL CHECK (position >= 0)
);

INSERT INTO webhook_cursor (id, position) SELECT 1, head_position FROM event_log;

CREATE TABLE deliveries (
    id uuid NOT NULL PRIMARY KEY,
    webhook_id uuid NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_position bigint NOT NULL,
    event_id uuid NOT NULL,
    type text COLLATE "C" NOT NULL CHECK (type <> ''),
    -- Whom or what the event concerns; empty when nothing is said.
    subject text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'delivered', 'parked')),
    attempts integer NOT NULL DEFAULT 0,
    -- Nothing while an earlier one about the same subject is pending, and when it is not.
    due_at bigint,
    -- Until when it is being made.
    taken_until bigint,
    gives_up_at bigint NOT NULL,
    created_at bigint NOT NULL,
    last_attempt_at bigint,
    last_status integer,
    last_latency_ms integer,
    last_answer text,
    last_error text
);

CREATE UNIQUE INDEX deliveries_by_event ON deliveries (webhook_id, event_position);
CREATE INDEX deliveries_by_created ON deliveries (webhook_id, created_at, id);
CREATE INDEX deliveries_by_state ON deliveries (webhook_id, state, created_at, id);
CREATE INDEX deliveries_by_end ON deliveries (created_at) WHERE state <> 'pending';
CREATE INDEX deliveries_by_due ON deliveries (webhook_id, due_at, event_position)
WHERE state = 'pending' AND due_at IS NOT NULL;
CREATE INDEX deliveries_by_subject ON deliveries (webhook_id, subject, event_position) WHERE state = 'pending';
CREATE INDEX deliveries_by_turn ON deliveries (webhook_id, subject) WHERE state = 'pending' AND due_at IS NOT NULL;
CREATE INDEX deliveries_by_patience ON deliveries (webhook_id, gives_up_at) WHERE state = 'pending';
