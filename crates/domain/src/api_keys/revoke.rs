//! Revoke an API key.

use super::ApiKey;
use super::owner::require_removal;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::events::{Happened, record, record_by};
use crate::id::{ApiKeyId, UserId};
use crate::store::WriteTx;

/// Deletes a key: one's own, or anybody's for those who may. It, and every token got for it, stops working at once.
///
/// `expected` lists the versions that the caller accepts to delete (`If-Match`); `None` accepts any.
pub async fn revoke(ctx: &Ctx, id: ApiKeyId, expected: Option<&[i64]>) -> Result<()> {
    ctx.require_identity()?;
    let (mut tx, key) = locked(ctx, id).await?;
    require_removal(ctx, &mut *tx, key.owner).await?;
    if expected.is_some_and(|versions| !versions.contains(&key.version)) {
        return Err(Error::Stale);
    }
    if tx.delete_api_key(id).await? {
        record(ctx, &mut *tx, key.owner, Happened::ApiKeyDeleted { api_key_id: id });
    }
    ctx.commit(tx).await?;
    Ok(())
}

/// A key, and a transaction that may change its owner's keys.
pub(super) async fn locked(ctx: &Ctx, id: ApiKeyId) -> Result<(Box<dyn WriteTx>, ApiKey)> {
    let absent = || Error::NotFound(Resource::ApiKey);
    // A key never changes its owner.
    let owner = ctx.store().read().await?.find_api_key(id).await?.ok_or_else(absent)?.owner;
    let mut tx = ctx.write_unlimited(&[owner.into()]).await?;
    let key = tx.find_api_key(id).await?.ok_or_else(absent)?;
    Ok((tx, key))
}

/// Deletes every key of a user, and records each.
pub(crate) async fn delete_all(ctx: &Ctx, tx: &mut dyn WriteTx, user: UserId) -> Result<()> {
    for api_key_id in tx.delete_user_api_keys(user).await? {
        record_by(ctx, tx, user, Happened::ApiKeyDeleted { api_key_id });
    }
    Ok(())
}
