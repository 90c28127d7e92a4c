//! Sign in with address and password.

use secrecy::SecretString;
use uuid::Uuid;

use super::issue::{Issued, issue};
use super::store::Opening;
use super::{Device, DeviceClaim, Session, SignedIn, device_token};
use crate::budgets::{self, Admitted};
use crate::credentials::{Password, PasswordAttempt, PasswordHash};
use crate::ctx::Ctx;
use crate::error::{Error, Result, Unauthenticated};
use crate::id::{SessionId, UserId};
use crate::ports::{HashError, Verdict};
use crate::users::{EmailAddress, Status, User};

/// Opens a session, on a device that the user may name. Unknown address, wrong password and disabled account are one and the same answer,
/// in content and in time.
pub async fn sign_in(
    ctx: &Ctx,
    email: &EmailAddress,
    attempt: PasswordAttempt,
    device: DeviceClaim,
) -> Result<SignedIn> {
    // Before anything is looked up or counted: most of a storm ends here.
    ctx.services().hasher.check_room(ctx.origin())?;
    let (user, stored, admitted) = verified_user(ctx, email, &attempt, device.token.as_ref()).await?;

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
        label: device.label,
    };

    // What was true while hashing may have changed since: a disabled user or a changed password opens nothing.
    let StoredPassword { before, renewed } = stored;
    let opening = Opening { session, proven: before, renewed, forgiven: admitted.into_forgiven() };
    let (user, permissions) = ctx.store().open_session(&opening).await?.ok_or_else(refused)?;

    let user = User { last_sign_in_at: Some(now), ..user };
    let Session { id: session_id, generation, expires_at, .. } = opening.session;
    let token = device_token(ctx, user.id);
    let signed_in = issue(ctx, user, &Issued { session_id, generation, now, expires_at, permissions })?;
    Ok(SignedIn { device_token: Some(token), ..signed_in })
}

struct StoredPassword {
    before: PasswordHash,
    renewed: Option<PasswordHash>,
}

/// The user whose password the attempt is. It is counted as a failure; what opens on it takes that back.
async fn verified_user(
    ctx: &Ctx,
    email: &EmailAddress,
    attempt: &PasswordAttempt,
    device_token: Option<&SecretString>,
) -> Result<(User, StoredPassword, Admitted)> {
    let mut read = ctx.store().read().await?;
    let user = read.find_user_by_email(email).await?;
    // Asked for unknown users too: a round trip more must not tell who has an account.
    let asked = user.as_ref().map_or(UserId::from_uuid(Uuid::nil()), |user| user.id);
    let before = read.find_password(asked).await?;
    // The connection goes back before the hash takes its time.
    drop(read);

    let device = user.as_ref().and_then(|user| Device::of(ctx, user.id, device_token));
    let admitted = budgets::admit_password(ctx, email, device.as_ref()).await?;
    let (verdict, admitted) = admitted.made(ctx, verdict_on(ctx, attempt, before.as_ref()).await).await?;
    let (Some(user), Some(before)) = (user, before) else { return Err(refused()) };
    if verdict == Verdict::Wrong || user.status != Status::Active {
        return Err(refused());
    }
    let renewed = match verdict {
        // When there is no room for it now, the next sign-in renews it.
        Verdict::RightButOutdated => {
            match ctx.services().hasher.hash(&Password::from_verified(attempt), ctx.origin()).await {
                Err(HashError::Overloaded { .. }) => None,
                hashed => Some(hashed?),
            }
        }
        Verdict::Right | Verdict::Wrong => None,
    };
    Ok((user, StoredPassword { before, renewed }, admitted))
}

async fn verdict_on(ctx: &Ctx, attempt: &PasswordAttempt, stored: Option<&PasswordHash>) -> Result<Verdict, HashError> {
    let hasher = &ctx.services().hasher;
    let Some(stored) = stored else {
        // Hash even for unknown users: timing must not tell who has an account.
        hasher.verify_nobody(attempt, ctx.origin()).await?;
        return Ok(Verdict::Wrong);
    };
    hasher.verify(attempt, stored, ctx.origin()).await
}

fn refused() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidCredentials)
}
