//! Take the second factor away.

use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::events::catalogue::FactorKind;
use crate::events::{Happened, record};
use crate::id::UserId;
use crate::mail::{self, MailSubject};
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

/// Removes the second factor of somebody who has lost it, for those who may write users. All their sessions end.
pub async fn remove_of(ctx: &Ctx, id: UserId) -> Result<()> {
    ctx.require(Permission::UsersWrite)?;
    let mut tx = ctx.write_unlimited(&[id.into()]).await?;
    let user = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    if ctx.is_user(id) {
        // Their own factor is no less theirs because they administer.
        step_up::require(ctx, &mut *tx).await?;
    }
    require_authority(ctx, &mut *tx, &user).await?;
    take_away(ctx, &mut *tx, &user).await?;
    end_all(ctx, &mut *tx, id, EndReason::SecondFactorChanged).await?;
    ctx.commit(tx).await?;
    Ok(())
}

async fn take_away(ctx: &Ctx, tx: &mut dyn WriteTx, user: &User) -> Result<()> {
    let standing = tx.second_factor_standing(user.id).await?;
    if !tx.remove_totp(user.id).await? {
        return Err(Error::NotFound(Resource::SecondFactor));
    }
    // The codes also replace a passkey that is lost.
    if !standing.has_passkey {
        tx.set_recovery_codes(user.id, &[]).await?;
    }
    if standing.has_totp {
        record(ctx, tx, user.id, Happened::FactorRemoved { factor: FactorKind::Totp });
        mail::tell(ctx, tx, user, MailSubject::SecondFactorRemoved).await?;
    }
    Ok(())
}
