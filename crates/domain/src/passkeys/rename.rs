//! Rename a passkey.

use super::Passkey;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::events::{Happened, record};
use crate::id::PasskeyId;
use crate::users::DisplayName;

/// Renames a passkey of the caller.
pub async fn rename(ctx: &Ctx, id: PasskeyId, name: DisplayName) -> Result<Passkey> {
    let absent = || Error::NotFound(Resource::Passkey);
    let (user, _) = ctx.signed_in()?;
    let mut tx = ctx.write_on(&[user.into()]).await?;
    tx.lock_user(user).await?.ok_or(Error::NotFound(Resource::User))?;
    let found = tx.list_passkeys(user).await?.into_iter().find(|passkey| passkey.id == id);
    let Some(found) = found else {
        // The passkey may have been removed by a write that shares this transaction.
        ctx.commit(tx).await?;
        return Err(absent());
    };
    if found.name != name {
        tx.rename_passkey(user, id, &name).await?;
        record(ctx, &mut *tx, user, Happened::PasskeyRenamed { passkey_id: id, name: name.clone() });
    }
    ctx.commit(tx).await?;
    Ok(Passkey { name, ..found })
}
