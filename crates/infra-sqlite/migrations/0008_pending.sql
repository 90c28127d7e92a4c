-- Remembered devices can be forgotten, an address change ends with the session that asked for it, and a webhook says who
-- answers for it and why it was disabled. It only adds: the release before runs on it, and knows none of it.

-- Device tokens issued before this moment do not count.
ALTER TABLE users ADD COLUMN devices_since INTEGER;

-- Unknown of the tokens that are there, and of those that no session asked for.
ALTER TABLE one_time_tokens ADD COLUMN session_id BLOB CHECK (length(session_id) = 16);

-- Unknown of the webhooks that are there.
ALTER TABLE webhooks ADD COLUMN created_by_kind TEXT CHECK (created_by_kind <> '');
ALTER TABLE webhooks ADD COLUMN created_by_id BLOB CHECK (length(created_by_id) = 16);
-- Nothing while it is active, and when it was disabled by request.
ALTER TABLE webhooks ADD COLUMN disabled_reason TEXT CHECK (disabled_reason <> '');
