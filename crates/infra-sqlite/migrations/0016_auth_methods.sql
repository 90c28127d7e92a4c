-- How sessions, and sign-ins that are not finished, were authenticated. It only adds: the release before runs on it, and
-- its sessions have NULL here.
-- auth_methods: a bit set, see auth_methods.rs of the domain. identity_id: the identity at a provider that was used; it may
-- have been unlinked since.
ALTER TABLE sessions ADD COLUMN auth_methods INTEGER;
ALTER TABLE sessions ADD COLUMN identity_id BLOB CHECK (length(identity_id) = 16);
ALTER TABLE challenges ADD COLUMN auth_methods INTEGER;
ALTER TABLE challenges ADD COLUMN identity_id BLOB CHECK (length(identity_id) = 16);

-- To end the sessions of a provider.
CREATE INDEX identities_by_provider ON identities (provider, id);
CREATE INDEX sessions_by_identity ON sessions (identity_id) WHERE identity_id IS NOT NULL;
