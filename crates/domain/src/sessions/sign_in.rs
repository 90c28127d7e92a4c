//! Sign in with address and password.

use secrecy::SecretString;
use uuid::Uuid;

use super::challenge::{Challenged, challenge, owed_by};
use super::finished::finished;
use super::migrate::migrate;
use super::open::{displacement, fresh, handed_out, started};
use super::store::{Opened, Opening};
use super::{Device, DeviceClaim, SignInMethod, SignedIn};
use crate::access::Subject;
use crate::auth_methods::AuthMethods;
use crate::budgets::{self, Admitted};
use crate::credentials::verify_email;
use crate::credentials::{Password, PasswordAttempt, PasswordHash};
use crate::ctx::Ctx;
use crate::error::{Error, Result, Unauthenticated};
use crate::events::catalogue::Way;
use crate::events::{Happened, record_by};
use crate::factors::Standing;
use crate::hooks;
use crate::id::UserId;
use crate::ports::{AccountActivity, HashError, Verdict};
use crate::users::{Status, TypedEmail, User};

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
pub async fn sign_in(ctx: &Ctx, email: &TypedEmail, attempt: PasswordAttempt, device: DeviceClaim) -> Result<Outcome> {
    let result = by_password(ctx, email, attempt, device).await;
    finished(ctx, SignInMethod::Password, result).await
}

async fn by_password(ctx: &Ctx, email: &TypedEmail, attempt: PasswordAttempt, device: DeviceClaim) -> Result<Outcome> {
    // Before anything is looked up or counted: most of a storm ends here.
    ctx.services().hasher.check_room(ctx.origin())?;
    let Proven { user, before, renewed, admitted } = prove(ctx, email, &attempt, device.token.as_ref()).await?;
    // Only who knows the password gets here: a stranger does not keep the owner out with it.
    if let Err(error) = ctx.throttle(Subject::User(user.id), AccountActivity::SignIn) {
        budgets::give_back(ctx, admitted).await?;
        return Err(error);
    }
    if ctx.policy().refuses_unverified(&user) {
        budgets::give_back(ctx, admitted).await?;
        return Err(verify_email::refuse(ctx, &user).await?);
    }
    if let Err(error) = hooks::before_sign_in(ctx, user.id, Way::Password).await {
        budgets::give_back(ctx, admitted).await?;
        return Err(error);
    }
    let session = fresh(ctx, user.id, device.label, AuthMethods::PASSWORD.into());
    let event = started(ctx, &session, Way::Password);
    let displacement = displacement(ctx, user.id);
    let forgiven = admitted.into_forgiven();
    let opening = Opening { session, proven: before, renewed, forgiven, event, displacement };
    // What was true while hashing may have changed since: a disabled user or a changed password opens nothing, nor does
    // a password alone where more is owed by now.
    match ctx.store().open_session(&opening).await? {
        Opened::Session(opened) => {
            let (user, permissions) = *opened;
            Ok(handed_out(ctx, &opening.session, user, permissions)?.into())
        }
        Opened::Owes(standing) => challenged(ctx, opening, standing).await,
        Opened::Refused => Err(refused()),
    }
}

/// The same check as when a session is opened, and a challenge in its place.
async fn challenged(ctx: &Ctx, opening: Opening, standing: Standing) -> Result<Outcome> {
    let Opening { session, proven, renewed, forgiven, event: _, displacement: _ } = opening;
    let mut tx = ctx.write().await?;
    let user = tx.lock_user(session.user_id).await?.filter(|user| user.status == Status::Active);
    let user = user.ok_or_else(refused)?;
    let current = tx.find_password(user.id).await?;
    if current.is_none_or(|current| current.expose() != proven.expose()) {
        return Err(refused());
    }
    if let Some(renewed) = &renewed {
        tx.set_password(user.id, renewed, ctx.now()).await?;
    }
    let owed = owed_by(standing, session.authenticated.methods).ok_or_else(refused)?;
    let (_, challenged) = challenge(ctx, &mut *tx, Some(user.id), owed, session.label, session.authenticated).await?;
    record_by(ctx, &mut *tx, user.id, Happened::SignInChallenged {});
    tx.forgive_budgets(&forgiven).await?;
    ctx.commit(tx).await?;
    Ok(Outcome::Challenged(challenged))
}

/// A user whose password was right. It is counted as a failure; what opens on it takes that back.
struct Proven {
    user: User,
    before: PasswordHash,
    renewed: Option<PasswordHash>,
    admitted: Admitted,
}

async fn prove(
    ctx: &Ctx,
    email: &TypedEmail,
    attempt: &PasswordAttempt,
    device_token: Option<&SecretString>,
) -> Result<Proven> {
    let mut read = ctx.store().read().await?;
    let user = read.find_user_by_email(email.address()).await?;
    // Asked for unknown users too: a round trip more must not tell who has an account.
    let asked = user.as_ref().map_or(UserId::from_uuid(Uuid::nil()), |user| user.id);
    let before = read.find_password(asked).await?;
    let device = Device::find(ctx, &mut *read, asked, device_token).await?;
    // The connection goes back before the hash takes its time.
    drop(read);

    let admitted = budgets::admit_password(ctx, email.address(), device.as_ref()).await?;
    let (verdict, admitted) = admitted.made(ctx, verdict_on(ctx, attempt, before.as_ref()).await).await?;
    let (user, before) = match (user, before) {
        (Some(user), Some(before)) => (user, before),
        (known, _) => {
            let (user, before) = migrate(ctx, email, known, attempt).await?.ok_or_else(refused)?;
            return Ok(Proven { user, before, renewed: None, admitted });
        }
    };
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
    Ok(Proven { user, before, renewed, admitted })
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
