-- Flows that are used up, until they have expired.
CREATE TABLE used_flows (
    id uuid NOT NULL PRIMARY KEY,
    expires_at bigint NOT NULL
);

CREATE INDEX used_flows_by_end ON used_flows (expires_at);
