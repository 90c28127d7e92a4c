-- The relying party of passkeys. It only adds: the release before registers passkeys without it.

-- The id of the relying party that the passkey was created for. NULL: unknown until its next use.
ALTER TABLE passkeys ADD COLUMN rp_id TEXT CHECK (rp_id <> '');

CREATE INDEX passkeys_by_rp ON passkeys (rp_id);
