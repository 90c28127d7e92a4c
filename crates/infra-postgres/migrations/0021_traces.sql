-- The span in which an event was recorded or a mail queued (W3C Trace Context), if its trace is recorded: what
-- happens later because of it continues the trace. The table only adds: the release before runs on it.

CREATE TABLE traces (
    -- The id of the event or of the mail.
    cause_id uuid NOT NULL PRIMARY KEY,
    -- The ids of the trace and of the span.
    parent bytea NOT NULL CHECK (octet_length(parent) = 24),
    expires_at bigint NOT NULL
);

CREATE INDEX traces_by_end ON traces (expires_at);
