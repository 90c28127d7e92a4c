//! Sign in with a passkey, as the only factor or as the second one.

use secrecy::SecretString;

use super::challenge::{self, Finished, Pending, owner, use_try};
use super::finished::finished;
use super::open::{Opened, open};
use super::{Device, SignInMethod, SignedIn};
use crate::access::Subject;
use crate::budgets::{self, Admitted};
use crate::challenges::{self, Challenge, ChallengeKind};
use crate::credentials::verify_email;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::events::catalogue::Way;
use crate::hooks;
use crate::id::{ChallengeId, UserId};
use crate::passkeys::assert::{self, VerifiedPasskey};
use crate::passkeys::{AssertionOptions, PasskeyAnswer};
use crate::ports::AccountActivity;
use crate::store::WriteTx;
use crate::users::{DisplayName, Status, User};

const SIGN_IN: &[u8] = b"passkey sign-in";

/// Options to sign in with any passkey of the relying party. Anyone can request them, and they do not touch the database.
pub fn options(ctx: &Ctx) -> Result<AssertionOptions> {
    assert::options(ctx, SIGN_IN, &[])
}

/// Opens a session for the user of a passkey. The passkey has verified its user, so no other factor is required.
///
/// # Errors
/// [`Unauthenticated::InvalidPasskey`](crate::error::Unauthenticated::InvalidPasskey) if the passkey is not accepted;
/// [`Resource::PasskeyCredential`](crate::error::Resource::PasskeyCredential) if no user has the credential.
pub async fn sign_in(ctx: &Ctx, answer: PasskeyAnswer, label: Option<DisplayName>) -> Result<SignedIn> {
    let result = by_passkey(ctx, answer, label).await;
    finished(ctx, SignInMethod::Passkey, result).await
}

async fn by_passkey(ctx: &Ctx, answer: PasskeyAnswer, label: Option<DisplayName>) -> Result<SignedIn> {
    let answer = assert::open(ctx, SIGN_IN, answer)?;
    let admitted = budgets::admit_client(ctx).await?;
    let verified = answer.verify(ctx, None).await?;
    let user = verified.passkey.user_id;
    // Only the owner gets here: other clients cannot use up the budget of the account.
    if let Err(error) = ctx.throttle(Subject::User(user), AccountActivity::SignIn) {
        budgets::give_back(ctx, admitted).await?;
        return Err(error);
    }
    if let Err(error) = hooks::before_sign_in(ctx, user, Way::Passkey).await {
        budgets::give_back(ctx, admitted).await?;
        return Err(error);
    }
    if let Some(unverified) = find_unverified(ctx, user).await? {
        budgets::give_back(ctx, admitted).await?;
        return Err(verify_email::refuse(ctx, &unverified).await?);
    }
    let mut tx = ctx.write_by_proof(&[user.into()]).await?;
    let opened = open_session(ctx, &mut *tx, &verified, label, &admitted).await?;
    // A refusal may rest on a write that shares this transaction, so it is committed before it is answered.
    ctx.commit(tx).await?;
    opened.ok_or_else(assert::refused)?.issue(ctx)
}

/// The active user, if they must verify their address first. Reads nothing unless that is configured.
async fn find_unverified(ctx: &Ctx, id: UserId) -> Result<Option<User>> {
    if !ctx.policy().requires_verified_email {
        return Ok(None);
    }
    let user = ctx.store().read().await?.find_user(id).await?;
    Ok(user.filter(|user| user.status == Status::Active && ctx.policy().refuses_unverified(user)))
}

/// The user and the passkey may have changed since the passkey was verified.
async fn open_session(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    verified: &VerifiedPasskey,
    label: Option<DisplayName>,
    admitted: &Admitted,
) -> Result<Option<Opened>> {
    let user = tx.lock_user(verified.passkey.user_id).await?.filter(|user| user.status == Status::Active);
    let Some(user) = user else { return Ok(None) };
    if !verified.record(ctx, tx).await? {
        return Ok(None);
    }
    let opened = open(ctx, tx, user, label, Way::Passkey, verified.passkey.auth_methods().into()).await?;
    budgets::forgive(tx, admitted).await?;
    Ok(Some(opened))
}

/// Options to complete a challenge with a passkey of its user. Writes nothing.
///
/// # Errors
/// [`Resource::Passkey`](crate::error::Resource::Passkey) if the user has no passkey.
pub async fn challenge_options(ctx: &Ctx, token: &SecretString) -> Result<AssertionOptions> {
    let (id, user) = find(ctx, token).await?;
    assert::options_of(ctx, &context(id), user).await
}

/// Completes a challenge with a passkey.
///
/// # Errors
/// As [`sign_in`]; [`Unauthenticated::InvalidCode`](crate::error::Unauthenticated::InvalidCode) if the challenge has
/// ended.
pub async fn finish_challenge(
    ctx: &Ctx,
    token: &SecretString,
    answer: PasskeyAnswer,
    device_token: Option<&SecretString>,
) -> Result<Finished> {
    let result = finish_by_passkey(ctx, token, answer, device_token).await;
    finished(ctx, SignInMethod::Challenge, result).await
}

async fn finish_by_passkey(
    ctx: &Ctx,
    token: &SecretString,
    answer: PasskeyAnswer,
    device_token: Option<&SecretString>,
) -> Result<Finished> {
    let (id, user) = find(ctx, token).await?;
    let answer = assert::open(ctx, &context(id), answer)?;
    let device = Device::find(ctx, &mut *ctx.store().read().await?, user, device_token).await?;
    let admitted = budgets::admit_factor(ctx, user, device.as_ref()).await?;
    let challenge = use_try(ctx, id).await?;
    let verified = answer.verify(ctx, Some(user)).await?;

    let mut tx = ctx.write().await?;
    let user = owner(ctx, &mut *tx, &challenge).await?;
    let is_accepted = verified.record(ctx, &mut *tx).await?;
    let is_pending = is_accepted && tx.remove_challenge(id).await?;
    let opened = if is_pending {
        let Challenge { label, authenticated, .. } = challenge;
        let authenticated = authenticated.with(verified.passkey.auth_methods());
        let opened = open(ctx, &mut *tx, user, label, Way::SecondFactor, authenticated).await?;
        budgets::forgive(&mut *tx, &admitted).await?;
        Some(opened)
    } else {
        None
    };
    // A refusal may rest on a write that shares this transaction, so it is committed before it is answered.
    ctx.commit(tx).await?;
    let refused = || if is_accepted { challenge::refused() } else { assert::refused() };
    let outcome = Pending::Opened(Box::new(opened.ok_or_else(refused)?)).issue(ctx)?;
    Ok(Finished { outcome, recovery_codes: None })
}

/// The challenge of a token that owes a second factor, and its user.
async fn find(ctx: &Ctx, token: &SecretString) -> Result<(ChallengeId, UserId)> {
    let id = challenges::open(ctx.services().vault.as_ref(), token).ok_or_else(challenge::refused)?;
    let found = ctx.store().read().await?.find_challenge(id, ctx.now()).await?;
    let found = found.filter(|challenge| challenge.kind == ChallengeKind::SecondFactor);
    let user = found.and_then(|challenge| challenge.user_id).ok_or_else(challenge::refused)?;
    Ok((id, user))
}

/// A state is accepted for the challenge that it was made for only.
fn context(challenge: ChallengeId) -> Vec<u8> {
    [b"passkey challenge ".as_slice(), challenge.as_uuid().as_bytes()].concat()
}
