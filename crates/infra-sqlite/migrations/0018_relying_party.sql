-- The relying party of passkeys, security keys, and roles that require one of either. It only adds.

-- The id of the relying party that the passkey was created for. NULL: unknown until its next use.
ALTER TABLE passkeys ADD COLUMN rp_id TEXT CHECK (rp_id <> '');

CREATE INDEX passkeys_by_rp ON passkeys (rp_id);

-- A security key may not verify its user, and is a second factor only. The release before registers passkeys only.
ALTER TABLE passkeys ADD COLUMN kind TEXT NOT NULL DEFAULT 'passkey' CHECK (kind IN ('passkey', 'security_key'));

-- Whether a role that requires a second factor requires a passkey or a security key. The release before accepts any factor.
ALTER TABLE roles ADD COLUMN requires_passkey INTEGER NOT NULL DEFAULT 0 CHECK (requires_passkey IN (0, 1));
