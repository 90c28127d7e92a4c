INSERT INTO identity_tokens (identity_id, provider, sealed, revision, leased_until)
VALUES ($1, $2, $3, $4, 0)
ON CONFLICT (identity_id) DO UPDATE
SET provider = excluded.provider, sealed = excluded.sealed, revision = excluded.revision, leased_until = 0
