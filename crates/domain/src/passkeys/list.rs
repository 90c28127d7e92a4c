//! List passkeys.

use super::{Passkey, UserHandle, handle_of};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::id::UserId;
use crate::users::User;

/// The passkeys of a user, with what a browser needs to bring its authenticators up to date (signal API).
#[derive(Debug)]
pub struct PasskeyList {
    /// The passkeys, the oldest first.
    pub passkeys: Vec<Passkey>,
    /// The user.
    pub user: User,
    /// The handle of the user for their authenticators.
    pub user_handle: UserHandle,
    /// The id of the relying party.
    pub rp_id: String,
}

/// Lists the passkeys of a user: the caller's own, or anyone's for callers who may read users.
pub async fn list(ctx: &Ctx, user: UserId) -> Result<PasskeyList> {
    ctx.require_self_or(user, Permission::UsersRead)?;
    let mut read = ctx.store().snapshot().await?;
    let found = read.find_user(user).await?.ok_or(Error::NotFound(Resource::User))?;
    let passkeys = read.list_passkeys(user).await?;
    Ok(PasskeyList {
        user_handle: handle_of(ctx, user, &passkeys),
        passkeys,
        user: found,
        rp_id: ctx.services().webauthn.rp_id().to_owned(),
    })
}
