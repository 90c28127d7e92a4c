-- Flows that are used up, until they have expired.
CREATE TABLE used_flows (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX used_flows_by_end ON used_flows (expires_at);
