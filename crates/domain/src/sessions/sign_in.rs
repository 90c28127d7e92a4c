//! Sign in with address and password.

use super::issue::{Issued, issue};
use super::{Session, SignedIn};
use crate::credentials::{Password, PasswordAttempt, PasswordHash};
use crate::ctx::Ctx;
use crate::error::{Error, Result, Unauthenticated};
use crate::ports::Verdict;
use crate::users::{EmailAddress, Status, User};

/// Opens a session. Unknown address, wrong password and disabled account are one and the same answer,
/// in content and in time.
pub async fn sign_in(ctx: &Ctx, email: &EmailAddress, attempt: PasswordAttempt) -> Result<SignedIn> {
    ctx.services().throttle.admit(email)?;
    let (user, stored) = verified_user(ctx, email, &attempt).await?;

    let now = ctx.now();
    let policy = ctx.policy();
    let session = Session {
        id: ctx.new_session_id(),
        user_id: user.id,
        generation: 0,
        created_at: now,
        refreshed_at: now,
        idle_expires_at: now.plus_seconds(policy.session_idle_ttl_s),
        expires_at: now.plus_seconds(policy.session_absolute_ttl_s),
        origin: ctx.origin().clone(),
    };

    let mut tx = ctx.store().write().await?;
    // What was true while hashing may have changed since: a disabled user or a changed password opens nothing.
    let user = tx.lock_user(user.id).await?.filter(|user| user.status == Status::Active).ok_or_else(refused)?;
    let current = tx.find_password(user.id).await?.ok_or_else(refused)?;
    if current.expose() != stored.before.expose() {
        return Err(refused());
    }
    if let Some(renewed) = &stored.renewed {
        tx.set_password(user.id, renewed, now).await?;
    }
    tx.record_sign_in(user.id, now).await?;
    tx.insert_session(&session).await?;
    tx.commit().await?;

    let user = User { last_sign_in_at: Some(now), ..user };
    let Session { id: session_id, generation, expires_at, .. } = session;
    issue(ctx, user, &Issued { session_id, generation, now, expires_at })
}

struct StoredPassword {
    before: PasswordHash,
    renewed: Option<PasswordHash>,
}

async fn verified_user(ctx: &Ctx, email: &EmailAddress, attempt: &PasswordAttempt) -> Result<(User, StoredPassword)> {
    let hasher = &ctx.services().hasher;
    let mut read = ctx.store().read().await?;
    let user = read.find_user_by_email(email).await?;
    let before = match &user {
        Some(user) => read.find_password(user.id).await?,
        None => None,
    };
    // The connection goes back before the hash takes its time.
    drop(read);

    let (Some(user), Some(before)) = (user, before) else {
        // Hash even for unknown users: timing must not tell who has an account.
        hasher.verify_nobody(attempt).await?;
        return Err(refused());
    };
    let verdict = hasher.verify(attempt, &before).await?;
    if verdict == Verdict::Wrong || user.status != Status::Active {
        return Err(refused());
    }
    ctx.services().throttle.forgive(email);
    let renewed = match verdict {
        Verdict::RightButOutdated => Some(hasher.hash(&Password::from_verified(attempt)).await?),
        Verdict::Right | Verdict::Wrong => None,
    };
    Ok((user, StoredPassword { before, renewed }))
}

fn refused() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidCredentials)
}
