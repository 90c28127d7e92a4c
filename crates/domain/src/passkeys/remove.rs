//! Remove passkeys.

use crate::access::Permission;
use crate::credentials::methods::{Removal, has_other_method};
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Resource, Result};
use crate::events::{Happened, record, record_by};
use crate::id::{PasskeyId, UserId};
use crate::mail::{self, MailSubject};
use crate::roles::require_authority;
use crate::sessions::{EndReason, end_all, end_others, step_up};
use crate::store::WriteTx;
use crate::users::User;

/// Removes a passkey of the caller. Their other sessions end.
///
/// # Errors
/// [`Conflict::LastWayIn`] if the user would have no sign-in method left; [`Conflict::PasskeyRequired`] if the role of the
/// user requires a passkey and this is the last one.
pub async fn remove(ctx: &Ctx, passkey: PasskeyId) -> Result<()> {
    let (id, session) = ctx.signed_in()?;
    let mut tx = ctx.write_unlimited(&[id.into()]).await?;
    let user = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    step_up::require(ctx, &mut *tx).await?;
    let removed = match require_another(ctx, &mut *tx, id, passkey).await {
        Ok(()) => take_away(ctx, &mut *tx, &user, passkey).await,
        refused => refused,
    };
    match &removed {
        Ok(()) => drop(end_others(ctx, &mut *tx, id, session, EndReason::SecondFactorChanged).await?),
        Err(Error::NotFound(_) | Error::Conflict(_)) => {}
        Err(_) => return removed,
    }
    // A refusal may rest on a removal that shares this transaction, so it is committed before it is answered.
    ctx.commit(tx).await?;
    removed
}

/// Removes a passkey of a user, for callers who may write users. All sessions of the user end.
///
/// # Errors
/// [`Conflict::LastWayIn`] if the user would have no sign-in method left.
pub async fn remove_of(ctx: &Ctx, id: UserId, passkey: PasskeyId) -> Result<()> {
    ctx.require(Permission::UsersWrite)?;
    let mut tx = ctx.write_unlimited(&[id.into()]).await?;
    let user = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    if ctx.is_user(id) {
        // Administrators prove their own factor too.
        step_up::require(ctx, &mut *tx).await?;
    }
    require_authority(ctx, &mut *tx, &user).await?;
    let removed = take_away(ctx, &mut *tx, &user, passkey).await;
    match &removed {
        Ok(()) => drop(end_all(ctx, &mut *tx, id, EndReason::SecondFactorChanged).await?),
        Err(Error::NotFound(_) | Error::Conflict(_)) => {}
        Err(_) => return removed,
    }
    ctx.commit(tx).await?;
    removed
}

/// Removes all passkeys of a user whose address another person has proven: that user may have registered them.
pub(crate) async fn remove_all(ctx: &Ctx, tx: &mut dyn WriteTx, user: UserId) -> Result<()> {
    for passkey in tx.list_passkeys(user).await? {
        tx.remove_passkey(user, passkey.id).await?;
        record_by(ctx, tx, user, Happened::PasskeyRemoved { passkey_id: passkey.id, name: passkey.name });
    }
    Ok(())
}

/// Refuses to remove the last passkey of a user whose role requires one. Administrators may: they reset lost ones.
async fn require_another(ctx: &Ctx, tx: &mut dyn WriteTx, user: UserId, id: PasskeyId) -> Result<()> {
    if !tx.second_factor_standing(user).await?.is_passkey_required {
        return Ok(());
    }
    let passkeys = tx.list_passkeys(user).await?;
    let is_known = passkeys.iter().any(|passkey| passkey.id == id);
    let has_another = passkeys.iter().any(|passkey| passkey.id != id && passkey.is_usable(ctx));
    if is_known && !has_another { Err(Error::Conflict(Conflict::PasskeyRequired)) } else { Ok(()) }
}

async fn take_away(ctx: &Ctx, tx: &mut dyn WriteTx, user: &User, id: PasskeyId) -> Result<()> {
    let passkey = tx.list_passkeys(user.id).await?.into_iter().find(|passkey| passkey.id == id);
    let passkey = passkey.ok_or(Error::NotFound(Resource::Passkey))?;
    if passkey.is_sign_in_method(ctx) && !has_other_method(ctx, tx, user, Removal::Passkey(id)).await? {
        return Err(Error::Conflict(Conflict::LastWayIn));
    }
    tx.remove_passkey(user.id, id).await?;
    if !tx.second_factor_standing(user.id).await?.is_enrolled() {
        // There is no factor left that the codes could replace.
        tx.set_recovery_codes(user.id, &[]).await?;
    }
    record(ctx, tx, user.id, Happened::PasskeyRemoved { passkey_id: id, name: passkey.name });
    mail::tell(ctx, tx, user, MailSubject::PasskeyRemoved).await
}
