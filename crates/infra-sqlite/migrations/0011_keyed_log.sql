-- The chain of the log is keyed. It only adds: the release before runs on it; records that it writes have no key.

-- The last record before the keyed ones, its hash, and the seal over both.
ALTER TABLE event_log ADD COLUMN keyed_position INTEGER;
ALTER TABLE event_log ADD COLUMN keyed_hash BLOB CHECK (length(keyed_hash) = 32);
ALTER TABLE event_log ADD COLUMN keyed_seal BLOB;
-- The seal over floor_position and floor_hash.
ALTER TABLE event_log ADD COLUMN floor_seal BLOB;
