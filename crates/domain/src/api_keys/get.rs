//! Get an API key.

use super::ApiKey;
use super::owner::require_sight;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::id::ApiKeyId;

/// One key, without its secret: one's own, or anybody's for those who may see them.
pub async fn get(ctx: &Ctx, id: ApiKeyId) -> Result<ApiKey> {
    ctx.require_identity()?;
    let key = ctx.store().read().await?.find_api_key(id).await?.ok_or(Error::NotFound(Resource::ApiKey))?;
    require_sight(ctx, key.owner)?;
    Ok(key)
}
