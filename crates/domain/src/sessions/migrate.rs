//! Take a user over from the product's old system at their first sign-in here.

use crate::credentials::{Password, PasswordAttempt, PasswordHash};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::events::catalogue::{Cause, Source};
use crate::events::{Happened, record_by};
use crate::hooks::{self, After};
use crate::id::UserId;
use crate::ports::HookedUser;
use crate::roles::RoleName;
use crate::users::created;
use crate::users::{Attributes, DisplayName, EmailAddress, Status, TypedEmail, User};

/// Asks the old system about somebody who has no password here. Who is known there, by this password, is so here from now
/// on, and the old system is not asked again.
pub(super) async fn migrate(
    ctx: &Ctx,
    email: &TypedEmail,
    known: Option<User>,
    attempt: &PasswordAttempt,
) -> Result<Option<(User, PasswordHash)>> {
    let Some(hook) = &ctx.services().sign_in_hook else { return Ok(None) };
    if known.as_ref().is_some_and(|user| user.status != Status::Active) {
        return Ok(None);
    }
    let Some(said) = hook.ask(email, attempt).await else { return Ok(None) };
    let new = if known.is_none() { Some(new_user(ctx, email.address(), said)) } else { None };
    if let Some(new) = &new {
        hooks::before_sign_up(ctx, &new.email, &new.name, &new.role, Source::SignInHook).await?;
    }
    let hash = ctx.services().hasher.hash(&Password::from_verified(attempt), ctx.origin()).await?;
    let mut tx = ctx.write().await?;
    let is_new = new.is_some();
    let user = if let Some(user) = known {
        user
    } else {
        let Some(user) = new else { return Ok(None) };
        if !tx.insert_user(&user).await? {
            // The address was taken meanwhile, perhaps by a write that shares this transaction. The user is read next.
            ctx.commit(tx).await?;
            return Ok(None);
        }
        record_by(ctx, &mut *tx, user.id, created(&user, Source::SignInHook));
        user
    };
    let now = ctx.now();
    let locked = tx.lock_user(user.id).await?.filter(|user| user.status == Status::Active);
    if locked.is_none() || tx.find_password(user.id).await?.is_some() {
        // The password may come from a write that shares this transaction, and is read next.
        ctx.commit(tx).await?;
        return Ok(None);
    }
    tx.set_password(user.id, &hash, now).await?;
    record_by(ctx, &mut *tx, user.id, Happened::PasswordChanged { cause: Cause::Migrated });
    ctx.commit(tx).await?;
    if is_new {
        hooks::after(ctx, || After::SignUp(Box::new(user.clone()))).await?;
    }
    Ok(Some((user, hash)))
}

fn new_user(ctx: &Ctx, email: &EmailAddress, said: HookedUser) -> User {
    let now = ctx.now();
    User {
        id: UserId::from_uuid(ctx.new_id()),
        email: email.clone(),
        email_verified: said.email_verified,
        name: said.name.unwrap_or_else(|| DisplayName::from_stored(email.to_string())),
        role: RoleName::user(),
        status: Status::Active,
        locale: said.locale,
        attributes: Attributes::default(),
        app_attributes: Attributes::default(),
        created_at: now,
        updated_at: now,
        last_sign_in_at: None,
        version: 1,
        deletion: None,
    }
}
