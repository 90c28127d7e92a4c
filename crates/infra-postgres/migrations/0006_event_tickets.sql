-- Tickets that open a stream of events once. The token is derived from the id: nothing here opens anything.

CREATE TABLE event_tickets (
    id uuid NOT NULL PRIMARY KEY,
    subject_kind text COLLATE "C" NOT NULL,
    subject_id uuid NOT NULL,
    credential_kind text COLLATE "C" NOT NULL,
    credential_id uuid NOT NULL,
    -- Scopes, separated by spaces.
    permissions text NOT NULL,
    credential_expires_at bigint,
    expires_at bigint NOT NULL
);

CREATE INDEX event_tickets_by_end ON event_tickets (expires_at);
