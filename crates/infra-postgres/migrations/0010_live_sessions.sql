-- Every sign-in counts how many sessions of its user live: those that have ended are not read for it.
CREATE INDEX live_sessions_by_user ON sessions (user_id, created_at, id) WHERE ended_at IS NULL;
