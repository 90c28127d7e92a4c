//! Rotate the secret of an API key.

use super::ApiKey;
use super::create::IssuedKey;
use super::owner::require_issue;
use super::revoke::locked;
use super::secret::generate;
use super::store::KeyRotation;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::events::{Happened, record};
use crate::id::ApiKeyId;
use crate::roles::require_authority_over;

/// How long the secret before still works when nothing is said, in seconds: a day.
pub const OVERLAP_DEFAULT_S: u32 = 24 * 60 * 60;
/// How long the secret before may still work, in seconds: 30 days.
pub const OVERLAP_MAX_S: u32 = 30 * 24 * 60 * 60;

/// Gives a key a new secret. The one before still works for `overlap_s`, at most [`OVERLAP_MAX_S`].
///
/// `expected` lists the versions that the caller accepts to change (`If-Match`); `None` accepts any.
pub async fn rotate(ctx: &Ctx, id: ApiKeyId, overlap_s: u32, expected: Option<&[i64]>) -> Result<IssuedKey> {
    ctx.require_identity()?;
    let now = ctx.now();
    ctx.throttle_write()?;
    let (mut tx, key) = locked(ctx, id).await?;
    require_issue(ctx, key.owner)?;
    // A new secret is as good as a new key: what it opens must be the caller's to give.
    ctx.require_held(key.scopes)?;
    require_authority_over(ctx, &mut *tx, key.owner).await?;
    if expected.is_some_and(|versions| !versions.contains(&key.version)) {
        return Err(Error::Stale);
    }
    let (secret, secret_hash) = generate(id, ctx.services().random.as_ref(), ctx.services().vault.as_ref());
    let previous_until = now.plus_seconds(overlap_s.min(OVERLAP_MAX_S));
    let rotation = KeyRotation { id, from_version: key.version, secret_hash, previous_until, at: now };
    if !tx.rotate_api_key(&rotation).await? {
        return Err(Error::Stale);
    }
    record(ctx, &mut *tx, key.owner, Happened::ApiKeyRotated { api_key_id: id, previous_until });
    ctx.commit(tx).await?;
    Ok(IssuedKey { key: ApiKey { rotated_at: Some(now), version: key.version + 1, ..key }, secret })
}
