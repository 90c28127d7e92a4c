//! Who may do what with the keys of an owner.

use crate::access::{Permission, Permissions, Subject};
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::roles::require_authority_over;
use crate::store::ReadTx;

/// Refuses whoever may not see the owner's keys. To them the key does not exist.
pub(super) fn require_sight(ctx: &Ctx, owner: Subject) -> Result<()> {
    let allowed = match owner {
        Subject::User(user) => ctx.require_self_or(user, Permission::ApiKeysRead),
        Subject::ServiceAccount(_) => ctx.require(Permission::ServiceAccountsRead),
    };
    allowed.map_err(hidden)
}

/// Refuses a caller who may not delete the owner's keys, or may do less than the owner. To a caller who may not see the key
/// either, it does not exist.
pub(super) async fn require_removal(ctx: &Ctx, tx: &mut dyn ReadTx, owner: Subject) -> Result<()> {
    let allowed = match owner {
        Subject::User(user) => ctx.require_self_or(user, Permission::ApiKeysWrite),
        Subject::ServiceAccount(_) => ctx.require(Permission::ServiceAccountsWrite),
    };
    allowed.map_err(|error| hidden_unless_seen(ctx, owner, error))?;
    require_authority_over(ctx, tx, owner).await
}

/// Refuses whoever may not get to see a new secret of the owner's keys: a user's own are for the user alone.
pub(super) fn require_issue(ctx: &Ctx, owner: Subject) -> Result<()> {
    match owner {
        Subject::ServiceAccount(_) => {
            let allowed = ctx.require(Permission::ServiceAccountsWrite);
            allowed.map_err(|error| hidden_unless_seen(ctx, owner, error))?;
            require_client_rights(ctx)
        }
        Subject::User(user) if ctx.signed_in().is_ok_and(|(caller, _)| caller == user) => Ok(()),
        Subject::User(_) => Err(hidden_unless_seen(ctx, owner, Error::Forbidden)),
    }
}

/// Every service account may introspect, so who lets one in must be allowed to.
pub(super) fn require_client_rights(ctx: &Ctx) -> Result<()> {
    ctx.require_held(Permissions::of(&[Permission::TokensIntrospect]))
}

/// What a caller gets who may not change the owner's keys: forbidden when they may see them.
fn hidden_unless_seen(ctx: &Ctx, owner: Subject, error: Error) -> Error {
    match hidden(error) {
        Error::NotFound(_) if require_sight(ctx, owner).is_ok() => Error::Forbidden,
        other => other,
    }
}

fn hidden(error: Error) -> Error {
    match error {
        Error::Forbidden | Error::NotFound(_) => Error::NotFound(Resource::ApiKey),
        other => other,
    }
}
