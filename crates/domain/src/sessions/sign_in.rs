//! Sign in with address and password.

use super::issue::{Issued, issue};
use super::store::Opening;
use super::{Session, SignedIn};
use crate::credentials::{Password, PasswordAttempt, PasswordHash};
use crate::ctx::Ctx;
use crate::error::{Error, Result, Unauthenticated};
use crate::id::SessionId;
use crate::ports::Verdict;
use crate::users::{DisplayName, EmailAddress, Status, User};

/// Opens a session, on a device that the user may name. Unknown address, wrong password and disabled account are one and the same answer,
/// in content and in time.
pub async fn sign_in(
    ctx: &Ctx,
    email: &EmailAddress,
    attempt: PasswordAttempt,
    label: Option<DisplayName>,
) -> Result<SignedIn> {
    ctx.services().throttle.admit(email)?;
    let (user, stored) = verified_user(ctx, email, &attempt).await?;

    let now = ctx.now();
    let policy = ctx.policy();
    let session = Session {
        id: SessionId::from_uuid(ctx.new_id()),
        user_id: user.id,
        generation: 0,
        created_at: now,
        refreshed_at: now,
        idle_expires_at: now.plus_seconds(policy.session_idle_ttl_s),
        expires_at: now.plus_seconds(policy.session_absolute_ttl_s),
        last_used_at: now,
        proven_at: now,
        second_factor_at: None,
        origin: ctx.origin().clone(),
        label,
    };

    // What was true while hashing may have changed since: a disabled user or a changed password opens nothing.
    let StoredPassword { before, renewed } = stored;
    let opening = Opening { session, proven: before, renewed };
    let (user, permissions) = ctx.store().open_session(&opening).await?.ok_or_else(refused)?;

    let user = User { last_sign_in_at: Some(now), ..user };
    let Session { id: session_id, generation, expires_at, .. } = opening.session;
    issue(ctx, user, &Issued { session_id, generation, now, expires_at, permissions })
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
