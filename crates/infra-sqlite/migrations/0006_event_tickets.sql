-- Tickets that open a stream of events once. The token is derived from the id: nothing here opens anything.

CREATE TABLE event_tickets (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    subject_kind TEXT NOT NULL,
    subject_id BLOB NOT NULL CHECK (length(subject_id) = 16),
    credential_kind TEXT NOT NULL,
    credential_id BLOB NOT NULL CHECK (length(credential_id) = 16),
    -- Scopes, separated by spaces.
    permissions TEXT NOT NULL,
    credential_expires_at INTEGER,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX event_tickets_by_end ON event_tickets (expires_at);
