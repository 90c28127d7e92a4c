INSERT INTO identity_token_drafts (flow_id, sealed, expires_at)
VALUES ($1, $2, $3)
ON CONFLICT (flow_id) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at
