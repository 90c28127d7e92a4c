//! Change a password.

use super::{NewPassword, PasswordAttempt};
use crate::access::{Permission, Subject};
use crate::api_keys;
use crate::budgets;
use crate::ctx::Ctx;
use crate::error::{Error, FieldError, Resource, Result, Unauthenticated};
use crate::events::catalogue::Cause;
use crate::events::{Happened, record};
use crate::id::UserId;
use crate::mail::{self, MailSubject};
use crate::ports::{AccountActivity, Verdict};
use crate::roles::require_outranked;
use crate::sessions::{EndReason, end_all, end_others, step_up};

/// Changes the caller's own password. Their other sessions end.
///
/// # Errors
/// The field `current_password` when it is wrong: the caller is authenticated, so this is bad input. The field
/// `new_password` when it is made of the caller's own words.
pub async fn change(ctx: &Ctx, current: PasswordAttempt, new: NewPassword) -> Result<()> {
    let (user_id, session_id) = ctx.signed_in()?;
    let mut read = ctx.store().snapshot().await?;
    step_up::require_factor(ctx, &mut *read).await?;
    let user = read.find_user(user_id).await?.ok_or(Error::Unauthenticated(Unauthenticated::InvalidToken))?;
    let stored = read.find_password(user.id).await?;
    drop(read);

    // Costs nothing, so it comes before what does.
    let new = new.for_user(ctx.policy(), &user.email, &user.name).map_err(|rule| rule.at("new_password"))?;
    ctx.throttle(Subject::User(user.id), AccountActivity::PasswordChange)?;
    // A stolen session must not become a password oracle: these tries are counted against it.
    let admitted = budgets::admit_own(ctx, session_id).await?;
    let wrong = || FieldError::new("current_password", "wrong_password", "must be the current password");
    let stored = stored.ok_or_else(wrong)?;
    let verdict = ctx.services().hasher.verify(&current, &stored, ctx.origin()).await;
    let (verdict, admitted) = admitted.made(ctx, verdict).await?;
    if verdict == Verdict::Wrong {
        return Err(wrong().into());
    }
    let hash = ctx.services().hasher.hash(&new, ctx.origin()).await;
    let (hash, admitted) = admitted.made(ctx, hash).await?;

    let mut tx = ctx.write_unlimited(&[user.id.into()]).await?;
    tx.lock_user(user.id).await?.ok_or(Error::NotFound(Resource::User))?;
    let unchanged = tx.find_password(user.id).await?.is_some_and(|now| now.expose() == stored.expose());
    if !unchanged {
        return Err(wrong().into());
    }
    // The password is proven by now; whoever has a second factor must have proven that lately, too.
    step_up::require_factor(ctx, &mut *tx).await?;
    let now = ctx.now();
    tx.set_password(user.id, &hash, now).await?;
    record(ctx, &mut *tx, user.id, Happened::PasswordChanged { cause: Cause::Changed });
    end_others(ctx, &mut *tx, user.id, session_id, EndReason::PasswordChanged).await?;
    mail::tell(ctx, &mut *tx, &user, MailSubject::PasswordChanged).await?;
    budgets::forgive(&mut *tx, &admitted).await?;
    ctx.commit(tx).await?;
    Ok(())
}

/// Sets anybody's password, for those who may write users. All the user's sessions end, and their API keys are gone.
pub async fn set(ctx: &Ctx, user: UserId, new: NewPassword) -> Result<()> {
    ctx.require(Permission::UsersWrite)?;
    let found = ctx.store().read().await?.find_user(user).await?.ok_or(Error::NotFound(Resource::User))?;
    let new = new.for_user(ctx.policy(), &found.email, &found.name).map_err(|rule| rule.at("password"))?;
    let hash = ctx.services().hasher.hash(&new, ctx.origin()).await?;

    let mut tx = ctx.write_on(&[user.into()]).await?;
    let locked = tx.lock_user(user).await?.ok_or(Error::NotFound(Resource::User))?;
    require_outranked(ctx, &mut *tx, &locked.role).await?;
    let now = ctx.now();
    tx.set_password(user, &hash, now).await?;
    record(ctx, &mut *tx, user, Happened::PasswordChanged { cause: Cause::Set });
    end_all(ctx, &mut *tx, user, EndReason::PasswordChanged).await?;
    // Who lost the account may have lost its keys: whoever sets its password takes it back as a whole.
    api_keys::delete_all(ctx, &mut *tx, user).await?;
    mail::tell(ctx, &mut *tx, &locked, MailSubject::PasswordChanged).await?;
    ctx.commit(tx).await?;
    Ok(())
}
