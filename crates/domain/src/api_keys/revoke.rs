//! Revoke an API key.

use super::owner::require_removal;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::id::ApiKeyId;

/// Deletes a key: one's own, or anybody's for those who may. It, and every token got for it, stops working at once.
///
/// `expected` lists the versions that the caller accepts to delete (`If-Match`); `None` accepts any.
pub async fn revoke(ctx: &Ctx, id: ApiKeyId, expected: Option<&[i64]>) -> Result<()> {
    ctx.require_identity()?;
    let mut tx = ctx.store().write().await?;
    let key = tx.find_api_key(id).await?.ok_or(Error::NotFound(Resource::ApiKey))?;
    require_removal(ctx, key.owner)?;
    if expected.is_some_and(|versions| !versions.contains(&key.version)) {
        return Err(Error::Stale);
    }
    tx.delete_api_key(id).await?;
    tx.commit().await?;
    Ok(())
}
