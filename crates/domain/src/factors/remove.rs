//! Take the second factor away.

use crate::access::Permission;
use crate::credentials::methods::{Removal, has_other_method};
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Resource, Result};
use crate::events::catalogue::FactorKind;
use crate::events::{Happened, record};
use crate::id::UserId;
use crate::mail::{self, MailSubject};
use crate::passkeys;
use crate::roles::require_authority;
use crate::sessions::{EndReason, end_all, end_others, step_up};
use crate::store::WriteTx;
use crate::users::User;

/// Removes the caller's second factor, and the recovery codes with it. Their other sessions end.
pub async fn remove(ctx: &Ctx) -> Result<()> {
    let (id, session) = ctx.signed_in()?;
    let mut tx = ctx.write_unlimited(&[id.into()]).await?;
    let user = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    step_up::require(ctx, &mut *tx).await?;
    take_away(ctx, &mut *tx, &user).await?;
    end_others(ctx, &mut *tx, id, session, EndReason::SecondFactorChanged).await?;
    ctx.commit(tx).await?;
    Ok(())
}

/// Removes all second factors of a user who has lost them, passkeys included, for callers who may write users. All sessions
/// of the user end.
///
/// # Errors
/// [`Conflict::LastWayIn`] if the user would have no sign-in method left.
pub async fn remove_of(ctx: &Ctx, id: UserId) -> Result<()> {
    ctx.require(Permission::UsersWrite)?;
    let mut tx = ctx.write_unlimited(&[id.into()]).await?;
    let user = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    if ctx.is_user(id) {
        // Their own factor is no less theirs because they administer.
        step_up::require(ctx, &mut *tx).await?;
    }
    require_authority(ctx, &mut *tx, &user).await?;
    if tx.second_factor_standing(id).await?.has_webauthn() {
        let is_method = tx.list_passkeys(id).await?.iter().any(|passkey| passkey.is_sign_in_method(ctx));
        if is_method && !has_other_method(ctx, &mut *tx, &user, Removal::AllPasskeys).await? {
            // The password may have been removed by a write that shares this transaction.
            ctx.commit(tx).await?;
            return Err(Error::Conflict(Conflict::LastWayIn));
        }
        passkeys::remove_all(ctx, &mut *tx, id).await?;
        remove_totp(ctx, &mut *tx, &user).await?;
        tx.set_recovery_codes(id, &[]).await?;
        mail::tell(ctx, &mut *tx, &user, MailSubject::SecondFactorRemoved).await?;
    } else {
        take_away(ctx, &mut *tx, &user).await?;
    }
    end_all(ctx, &mut *tx, id, EndReason::SecondFactorChanged).await?;
    ctx.commit(tx).await?;
    Ok(())
}

async fn take_away(ctx: &Ctx, tx: &mut dyn WriteTx, user: &User) -> Result<()> {
    let standing = tx.second_factor_standing(user.id).await?;
    if !remove_totp(ctx, tx, user).await? {
        return Err(Error::NotFound(Resource::SecondFactor));
    }
    // The codes also replace a passkey or a security key that is lost.
    if !standing.has_webauthn() {
        tx.set_recovery_codes(user.id, &[]).await?;
    }
    if standing.has_totp {
        mail::tell(ctx, tx, user, MailSubject::SecondFactorRemoved).await?;
    }
    Ok(())
}

/// Removes the TOTP secret; `false` if there is none. A confirmed one is recorded.
async fn remove_totp(ctx: &Ctx, tx: &mut dyn WriteTx, user: &User) -> Result<bool> {
    let was_confirmed = tx.second_factor_standing(user.id).await?.has_totp;
    let is_removed = tx.remove_totp(user.id).await?;
    if was_confirmed {
        record(ctx, tx, user.id, Happened::FactorRemoved { factor: FactorKind::Totp });
    }
    Ok(is_removed)
}
