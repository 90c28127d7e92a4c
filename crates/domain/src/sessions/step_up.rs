//! Step-up authentication: a recent proof is required before a change of the password, the address or the factors.

use super::store::Proof;
use crate::auth_methods::AuthMethods;
use crate::budgets;
use crate::credentials::{PasswordAttempt, PasswordHash};
use crate::ctx::Ctx;
use crate::error::{Error, FieldError, Resource, Result, Unauthenticated};
use crate::events::catalogue::FactorKind;
use crate::events::{Happened, record};
use crate::factors::{self, SecondFactorCode};
use crate::id::{SessionId, UserId};
use crate::passkeys::{AssertionOptions, CredentialKind, Passkey, PasskeyAnswer, assert};
use crate::ports::Verdict;
use crate::store::ReadTx;

/// How long a proof is recent, in seconds.
pub const RECENT_S: u32 = 10 * 60;

/// What is proven.
#[derive(Debug)]
pub enum Given {
    /// The password; only for users without a second factor.
    Password(PasswordAttempt),
    /// A second factor.
    Code(SecondFactorCode),
    /// A passkey or a security key.
    Passkey(PasskeyAnswer),
}

/// Refuses a caller whose session has no recent proof of the strongest factor that they have. Signing in is one.
pub(crate) async fn require(ctx: &Ctx, tx: &mut dyn ReadTx) -> Result<()> {
    let (user, session) = ctx.signed_in()?;
    let state = tx.session_state(session).await?.ok_or(Error::Unauthenticated(Unauthenticated::InvalidToken))?;
    let is_enrolled = tx.second_factor_standing(user).await?.is_enrolled();
    let proven_at = if is_enrolled { state.second_factor_at } else { Some(state.proven_at) };
    let is_recent = proven_at.is_some_and(|at| at.is_within(RECENT_S, ctx.now()));
    if is_recent { Ok(()) } else { Err(Error::StepUpRequired) }
}

/// The same of a second factor alone, for those who have one.
pub(crate) async fn require_factor(ctx: &Ctx, tx: &mut dyn ReadTx) -> Result<()> {
    let (user, session) = ctx.signed_in()?;
    if !tx.second_factor_standing(user).await?.is_enrolled() {
        return Ok(());
    }
    let state = tx.session_state(session).await?.ok_or(Error::Unauthenticated(Unauthenticated::InvalidToken))?;
    let is_recent = state.second_factor_at.is_some_and(|at| ctx.now() < at.plus_seconds(RECENT_S));
    if is_recent { Ok(()) } else { Err(Error::StepUpRequired) }
}

/// Proves a factor in the caller's session.
///
/// # Errors
/// The field `password`, `code` or `passkey` when it is wrong, or is not the factor that is asked for.
pub async fn step_up(ctx: &Ctx, given: Given) -> Result<()> {
    let (user, session) = ctx.signed_in()?;
    let mut read = ctx.store().read().await?;
    let standing = read.second_factor_standing(user).await?;
    let (methods, factor) = match given {
        Given::Password(_) if standing.is_enrolled() => {
            return Err(FieldError::new(
                "code",
                "required",
                "or passkey is required, because the user has a second factor",
            )
            .into());
        }
        Given::Password(attempt) => {
            let stored = read.find_password(user).await?;
            drop(read);
            prove_password(ctx, session, &attempt, stored.as_ref()).await?;
            (AuthMethods::PASSWORD, FactorKind::Password)
        }
        Given::Code(code) => {
            drop(read);
            factors::prove(ctx, (user, session), &code).await?;
            let factor = match code {
                SecondFactorCode::Totp(_) => FactorKind::Totp,
                SecondFactorCode::Recovery(_) => FactorKind::RecoveryCode,
            };
            (AuthMethods::SECOND_FACTOR_CODE, factor)
        }
        Given::Passkey(answer) => {
            drop(read);
            let passkey = prove_passkey(ctx, (user, session), answer).await?;
            let factor = match passkey.kind {
                CredentialKind::Passkey => FactorKind::Passkey,
                CredentialKind::SecurityKey => FactorKind::SecurityKey,
            };
            (passkey.auth_methods(), factor)
        }
    };
    let mut tx = ctx.write().await?;
    tx.record_proof(session, Proof { methods, at: ctx.now() }).await?;
    record(ctx, &mut *tx, user, Happened::SessionProven { session_id: session, factor });
    ctx.commit(tx).await?;
    Ok(())
}

/// Options to prove a passkey of the caller in their session. Writes nothing.
///
/// # Errors
/// [`Error::NotFound`] if the caller has no passkey.
pub async fn passkey_options(ctx: &Ctx) -> Result<AssertionOptions> {
    let (user, session) = ctx.signed_in()?;
    assert::options_of(ctx, &passkey_context(user, session), user).await
}

async fn prove_passkey(ctx: &Ctx, (user, session): (UserId, SessionId), answer: PasskeyAnswer) -> Result<Passkey> {
    let opened = assert::open(ctx, &passkey_context(user, session), answer).map_err(name_field)?;
    let admitted = budgets::admit_own(ctx, session).await?;
    let verified = opened.verify(ctx, Some(user)).await.map_err(name_field)?;
    let mut tx = ctx.write_on(&[user.into()]).await?;
    tx.lock_user(user).await?.ok_or(Error::NotFound(Resource::User))?;
    let is_accepted = verified.record(ctx, &mut *tx).await?;
    if is_accepted {
        budgets::forgive(&mut *tx, &admitted).await?;
    }
    // A refusal may rest on a write that shares this transaction, so it is committed before it is answered.
    ctx.commit(tx).await?;
    if is_accepted { Ok(verified.passkey) } else { Err(name_field(assert::refused())) }
}

/// The caller is signed in: a rejected passkey is invalid input, and the session stays.
fn name_field(error: Error) -> Error {
    match error {
        Error::Unauthenticated(Unauthenticated::InvalidPasskey) => {
            let message = "was rejected, or its state has expired or was used; request new options";
            FieldError::new("passkey", "wrong_passkey", message).into()
        }
        other => other,
    }
}

fn passkey_context(user: UserId, session: SessionId) -> Vec<u8> {
    [b"passkey step-up ".as_slice(), user.as_uuid().as_bytes(), session.as_uuid().as_bytes()].concat()
}

/// A stolen session must not become a password oracle: these tries are counted against it.
async fn prove_password(
    ctx: &Ctx,
    session: SessionId,
    attempt: &PasswordAttempt,
    stored: Option<&PasswordHash>,
) -> Result<()> {
    let wrong = || FieldError::new("password", "wrong_password", "must be the current password");
    let stored = stored.ok_or_else(wrong)?;
    let admitted = budgets::admit_own(ctx, session).await?;
    let verdict = ctx.services().hasher.verify(attempt, stored, ctx.origin()).await;
    let (verdict, admitted) = admitted.made(ctx, verdict).await?;
    if verdict == Verdict::Wrong {
        return Err(wrong().into());
    }
    ctx.store().forgive_budgets(&admitted.into_forgiven()).await?;
    Ok(())
}
