//! Finish a sign-in by the registration of a passkey or a security key, because the role requires one.

use secrecy::SecretString;

use super::SignInMethod;
use super::challenge::{self, Finished, Owed, Pending, owed_by, owner, use_try};
use super::finished::finished;
use super::open::open;
use crate::access::Subject;
use crate::challenges::{self, ChallengeKind};
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Result};
use crate::events::catalogue::Way;
use crate::id::{ChallengeId, UserId};
use crate::passkeys::register::{self, RegistrationOptions};
use crate::passkeys::{CredentialKind, NewPasskey};
use crate::pending::{self, Ending};
use crate::ports::AccountActivity;
use crate::store::ReadTx;

/// Options to create the passkey or the security key that completes a challenge. Writes nothing.
///
/// # Errors
/// [`Unauthenticated::InvalidCode`](crate::error::Unauthenticated::InvalidCode) if the challenge has ended, or is none
/// that a registration completes; [`Conflict::SecondFactorPresent`] if the user has registered one meanwhile.
pub async fn options(ctx: &Ctx, token: &SecretString, kind: CredentialKind) -> Result<RegistrationOptions> {
    let mut read = ctx.store().read().await?;
    let (id, user) = find(ctx, &mut *read, token).await?;
    if read.second_factor_standing(user).await?.has_webauthn() {
        return Err(Error::Conflict(Conflict::SecondFactorPresent));
    }
    register::options_for(ctx, &mut *read, &context(id), user, kind).await
}

/// Registers the credential and completes the challenge. Sessions that have not proven the new factor no longer work.
///
/// # Errors
/// As [`options`] and [`register`](register::register).
pub async fn finish(ctx: &Ctx, token: &SecretString, new: NewPasskey) -> Result<Finished> {
    let result = by_registration(ctx, token, new).await;
    finished(ctx, SignInMethod::Challenge, result).await
}

async fn by_registration(ctx: &Ctx, token: &SecretString, new: NewPasskey) -> Result<Finished> {
    let (id, user) = find(ctx, &mut *ctx.store().read().await?, token).await?;
    let registration = register::verify(ctx, &context(id), user, new)?;
    ctx.throttle(Subject::User(user), AccountActivity::Write)?;
    let challenge = use_try(ctx, id).await?;

    let mut tx = ctx.write_by_proof(&[user.into()]).await?;
    let user = owner(ctx, &mut *tx, &challenge).await?;
    if !tx.remove_challenge(id).await? {
        return Err(challenge::refused());
    }
    let standing = tx.second_factor_standing(user.id).await?;
    if standing.has_webauthn() {
        return Err(Error::Conflict(Conflict::SecondFactorPresent));
    }
    // Other factors may have been added since, which must be proven first.
    if owed_by(standing, challenge.authenticated.methods) != Some(Owed::PasskeyEnrolment) {
        return Err(challenge::refused());
    }
    register::add(ctx, &mut *tx, &user, &registration).await?;
    // No session has proven the new factor, so none of them works any more.
    pending::end(ctx, &mut *tx, user.id, Ending::OtherSessions).await?;
    let authenticated = challenge.authenticated.with(registration.passkey.auth_methods());
    let opened = open(ctx, &mut *tx, user, challenge.label, Way::SecondFactor, authenticated).await?;
    ctx.commit(tx).await?;
    let outcome = Pending::Opened(Box::new(opened)).issue(ctx)?;
    Ok(Finished { outcome, recovery_codes: None })
}

/// The challenge of a token that a registration completes, and its user.
async fn find(ctx: &Ctx, read: &mut dyn ReadTx, token: &SecretString) -> Result<(ChallengeId, UserId)> {
    let id = challenges::open(ctx.services().vault.as_ref(), token).ok_or_else(challenge::refused)?;
    let found = read.find_challenge(id, ctx.now()).await?;
    let found = found.filter(|challenge| challenge.kind == ChallengeKind::PasskeyEnrolment);
    let user = found.and_then(|challenge| challenge.user_id).ok_or_else(challenge::refused)?;
    Ok((id, user))
}

/// A state is accepted for the challenge that it was made for only.
fn context(challenge: ChallengeId) -> Vec<u8> {
    [b"passkey enrolment ".as_slice(), challenge.as_uuid().as_bytes()].concat()
}
