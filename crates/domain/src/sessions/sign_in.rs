//! Sign in with address and password.

use super::SignedIn;
use super::challenge::{Challenged, Owed, challenge, owed_by};
use super::migrate::migrate;
use super::open::{fresh, handed_out};
use super::store::Opening;
use crate::credentials::{Password, PasswordAttempt, PasswordHash};
use crate::ctx::Ctx;
use crate::error::{Error, Result, Unauthenticated};
use crate::factors::Standing;
use crate::id::UserId;
use crate::ports::Verdict;
use crate::users::{DisplayName, EmailAddress, Status, User};

/// What came of a first factor.
#[derive(Debug)]
pub enum Outcome {
    /// A session.
    SignedIn(Box<SignedIn>),
    /// Something is owed still, and nothing is open.
    Challenged(Challenged),
}

/// Opens a session, on a device that the user may name; or a challenge, when a second factor is owed. Unknown address,
/// wrong password and disabled account are one and the same answer, in content and in time.
pub async fn sign_in(
    ctx: &Ctx,
    email: &EmailAddress,
    attempt: PasswordAttempt,
    label: Option<DisplayName>,
) -> Result<Outcome> {
    ctx.services().throttle.admit(email)?;
    let (user, stored) = verified_user(ctx, email, &attempt).await?;
    if let Some(owed) = owed_by(stored.standing) {
        return challenged(ctx, user.id, stored, owed, label).await;
    }
    // What was true while hashing may have changed since: a disabled user or a changed password opens nothing.
    let session = fresh(ctx, user.id, label);
    let opening = Opening { session, proven: stored.before, renewed: stored.renewed };
    let (user, permissions) = ctx.store().open_session(&opening).await?.ok_or_else(refused)?;
    Ok(handed_out(ctx, &opening.session, user, permissions)?.into())
}

/// The same check as when a session is opened, and a challenge in its place.
async fn challenged(
    ctx: &Ctx,
    user: UserId,
    stored: StoredPassword,
    owed: Owed,
    label: Option<DisplayName>,
) -> Result<Outcome> {
    let mut tx = ctx.store().write().await?;
    let user = tx.lock_user(user).await?.filter(|user| user.status == Status::Active).ok_or_else(refused)?;
    let current = tx.find_password(user.id).await?;
    if current.is_none_or(|current| current.expose() != stored.before.expose()) {
        return Err(refused());
    }
    if let Some(renewed) = &stored.renewed {
        tx.set_password(user.id, renewed, ctx.now()).await?;
    }
    let (_, challenged) = challenge(ctx, &mut *tx, Some(user.id), owed, label).await?;
    tx.commit().await?;
    Ok(Outcome::Challenged(challenged))
}

struct StoredPassword {
    before: PasswordHash,
    renewed: Option<PasswordHash>,
    standing: Standing,
}

async fn verified_user(ctx: &Ctx, email: &EmailAddress, attempt: &PasswordAttempt) -> Result<(User, StoredPassword)> {
    let hasher = &ctx.services().hasher;
    let mut read = ctx.store().read().await?;
    let user = read.find_user_by_email(email).await?;
    let (before, standing) = match &user {
        Some(user) => (read.find_password(user.id).await?, read.second_factor_standing(user.id).await?),
        None => (None, Standing::default()),
    };
    // The connection goes back before the hash takes its time.
    drop(read);

    let (user, before) = match (user, before) {
        (Some(user), Some(before)) => (user, before),
        (known, _) => {
            // Hash even for unknown users: timing must not tell who has an account.
            hasher.verify_nobody(attempt).await?;
            let (user, before) = migrate(ctx, email, known, attempt).await?.ok_or_else(refused)?;
            ctx.services().throttle.forgive(email);
            return Ok((user, StoredPassword { before, renewed: None, standing }));
        }
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
    Ok((user, StoredPassword { before, renewed, standing }))
}

fn refused() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidCredentials)
}
