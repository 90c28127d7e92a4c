//! Finish a sign-in that owes something.

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::finished::finished;
use super::open::{Opened, open};
use super::{Device, Outcome, SignInMethod, SignedIn};
use crate::access::Subject;
use crate::auth_methods::{Acr, AuthMethods, Authenticated};
use crate::budgets::store::Window;
use crate::budgets::{self, Admitted, BudgetKey};
use crate::challenges::{self, Challenge, ChallengeKind};
use crate::credentials::first_proof::{EarlierPassword, prove_and_take_over};
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Result, Unauthenticated};
use crate::events::catalogue::Way;
use crate::events::{Happened, record_by};
use crate::factors::{self, Enrolment, SecondFactorCode, Standing, totp};
use crate::hooks;
use crate::id::{ChallengeId, UserId};
use crate::pending::{self, Ending};
use crate::ports::AccountActivity;
use crate::providers;
use crate::store::WriteTx;
use crate::users::{DisplayName, Status, User};

/// How many secrets one sign-in can make: each leaves an event.
const ENROLMENTS_MAX: u32 = 5;

/// A sign-in that owes something.
#[derive(Debug)]
pub struct Challenged {
    /// Names the challenge to whoever owes it.
    pub token: SecretString,
    /// What is owed.
    pub owed: Owed,
    /// Seconds until the challenge expires.
    pub expires_in_s: u32,
}

/// What meets a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owed {
    /// A second factor that the user has: a TOTP code, a passkey or a recovery code.
    SecondFactor(Standing),
    /// A second factor that is yet to be set up: the role demands one.
    Enrolment,
    /// A passkey or a security key that is yet to be registered: the role demands one.
    PasskeyEnrolment,
    /// The code that was mailed.
    MailedCode,
}

/// What a code opened.
#[derive(Debug)]
pub struct Finished {
    /// The session; or what is owed still.
    pub outcome: Outcome,
    /// The recovery codes, when the code set a second factor up. They are shown this once.
    pub recovery_codes: Option<Vec<SecretString>>,
}

/// Adds a challenge within a transaction.
pub(super) async fn challenge(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    user: Option<UserId>,
    owed: Owed,
    label: Option<DisplayName>,
    authenticated: Authenticated,
) -> Result<(ChallengeId, Challenged)> {
    let now = ctx.now();
    let id = ChallengeId::from_uuid(ctx.new_id());
    let kind = match owed {
        Owed::SecondFactor(_) | Owed::Enrolment => ChallengeKind::SecondFactor,
        Owed::PasskeyEnrolment => ChallengeKind::PasskeyEnrolment,
        Owed::MailedCode => ChallengeKind::MailedCode,
    };
    let challenge = Challenge {
        id,
        user_id: user,
        kind,
        authenticated,
        label,
        tries_left: challenges::TRIES.into(),
        created_at: now,
        expires_at: now.plus_seconds(challenges::TTL_S),
    };
    tx.insert_challenge(&challenge).await?;
    let token = challenges::token_of(ctx.services().vault.as_ref(), id);
    Ok((id, Challenged { token, owed, expires_in_s: challenges::TTL_S }))
}

/// What a user of this standing owes after these methods, if anything.
pub(super) fn owed_by(standing: Standing, proven: AuthMethods) -> Option<Owed> {
    let is_passkey_missing = standing.is_passkey_required && !standing.has_webauthn();
    match proven.acr() {
        Acr::PhishingResistant => None,
        Acr::Aal2 if is_passkey_missing => Some(Owed::PasskeyEnrolment),
        Acr::Aal2 => standing.is_passkey_required.then_some(Owed::SecondFactor(standing)),
        // A passkey is registered after the factors that the user has are proven.
        Acr::Aal1 if standing.is_enrolled() => Some(Owed::SecondFactor(standing)),
        Acr::Aal1 if is_passkey_missing => Some(Owed::PasskeyEnrolment),
        Acr::Aal1 => standing.is_required.then_some(Owed::Enrolment),
    }
}

/// Sets a second factor up for a sign-in whose user has none and needs one. It counts once a code of it finishes the
/// sign-in.
///
/// # Errors
/// [`Error::TooManyRequests`] when the account has written too often, or the sign-in has made 5 secrets:
/// then another sign-in is needed.
pub async fn enrol(ctx: &Ctx, token: &SecretString) -> Result<Enrolment> {
    let id = challenges::open(ctx.services().vault.as_ref(), token).ok_or_else(refused)?;
    let mut tx = ctx.write().await?;
    let challenge = tx.find_challenge(id, ctx.now()).await?.ok_or_else(refused)?;
    if challenge.kind != ChallengeKind::SecondFactor {
        return Err(refused());
    }
    let user = owner(ctx, &mut *tx, &challenge).await?;
    // A transaction that ended it meanwhile held the user until now.
    tx.find_challenge(id, ctx.now()).await?.ok_or_else(refused)?;
    let standing = tx.second_factor_standing(user.id).await?;
    if standing.is_enrolled() {
        return Err(Error::Conflict(Conflict::SecondFactorPresent));
    }
    if standing.is_passkey_required {
        return Err(Error::Conflict(Conflict::PasskeyRequired));
    }
    // The challenge stands for the account, whose changes are limited together.
    ctx.throttle(Subject::User(user.id), AccountActivity::Write)?;
    let key = BudgetKey::enrolments(ctx.services().vault.as_ref(), id);
    let window = Window { key, amount: 1, limit: ENROLMENTS_MAX, period_s: challenges::TTL_S };
    if !tx.spend_window(&window, ctx.now()).await? {
        return Err(Error::TooManyRequests { retry_after_s: challenges::TTL_S });
    }
    let enrolment = totp::make(ctx, &mut *tx, &user).await?;
    ctx.commit(tx).await?;
    Ok(enrolment)
}

/// Finishes a sign-in by a code. A wrong code, a used one, one too many, and a challenge that is over are one answer.
///
/// Second factors are counted against the user over all challenges, or against the device that they have signed in on.
/// Mailed codes are counted against the client's address alone: how many there are is bounded by how much is mailed, and
/// nobody's must look like any other.
pub async fn finish(
    ctx: &Ctx,
    token: &SecretString,
    code: &SecretString,
    device_token: Option<&SecretString>,
) -> Result<Finished> {
    let result = by_code(ctx, token, code, device_token).await;
    finished(ctx, SignInMethod::Challenge, result).await
}

async fn by_code(
    ctx: &Ctx,
    token: &SecretString,
    code: &SecretString,
    device_token: Option<&SecretString>,
) -> Result<Finished> {
    let id = challenges::open(ctx.services().vault.as_ref(), token).ok_or_else(refused)?;
    let found = ctx.store().read().await?.find_challenge(id, ctx.now()).await?.ok_or_else(refused)?;
    match (found.kind, found.user_id) {
        (ChallengeKind::SecondFactor, Some(user)) => {
            let device = Device::find(ctx, &mut *ctx.store().read().await?, user, device_token).await?;
            let admitted = budgets::admit_factor(ctx, user, device.as_ref()).await?;
            by_second_factor(ctx, use_try(ctx, id).await?, code, &admitted).await
        }
        (ChallengeKind::PasskeyEnrolment, _) => Err(refused()),
        (ChallengeKind::SecondFactor | ChallengeKind::MailedCode, _) => {
            if !ctx.policy().offers_mailed_codes {
                return Err(refused());
            }
            let admitted = budgets::admit_client(ctx).await?;
            by_mailed_code(ctx, use_try(ctx, id).await?, code, &admitted).await
        }
    }
}

/// Uses a try up before it is made: of many at once, no more get one than there are.
pub(super) async fn use_try(ctx: &Ctx, id: ChallengeId) -> Result<Challenge> {
    let mut tx = ctx.write().await?;
    let challenge = tx.try_challenge(id, ctx.now()).await?;
    ctx.commit(tx).await?;
    challenge.ok_or_else(refused)
}

async fn by_mailed_code(ctx: &Ctx, challenge: Challenge, code: &SecretString, admitted: &Admitted) -> Result<Finished> {
    let expected = challenges::code_of(ctx.services().vault.as_ref(), challenge.id);
    let typed: String = code.expose_secret().chars().filter(|c| !matches!(c, ' ' | '-')).take(64).collect();
    if !bool::from(typed.as_bytes().ct_eq(expected.expose_secret().as_bytes())) {
        return Err(refused());
    }
    hooks::before_sign_in(ctx, challenge.user_id.ok_or_else(refused)?, Way::MailedCode).await?;
    let mut tx = ctx.write().await?;
    let user = owner(ctx, &mut *tx, &challenge).await?;
    if !tx.remove_challenge(challenge.id).await? {
        return Err(refused());
    }
    let outcome = proven_by_mail(ctx, &mut *tx, user, challenge.label, Way::MailedCode).await?;
    budgets::forgive(&mut *tx, admitted).await?;
    ctx.commit(tx).await?;
    Ok(Finished { outcome: outcome.issue(ctx)?, recovery_codes: None })
}

/// What a user gets who has proven to read their mail: a session, or the challenge for the second factor. The address is
/// proven with it.
pub(super) async fn proven_by_mail(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    user: User,
    label: Option<DisplayName>,
    method: Way,
) -> Result<Pending> {
    let user = prove_and_take_over(ctx, tx, user, EarlierPassword::Removed).await?;
    sign_in_proven(ctx, tx, user, label, method, AuthMethods::EMAIL.into()).await
}

/// What a [locked](crate::users::store::UserWrites::lock_user), active user gets who has authenticated with one factor or
/// more: a session, or the challenge for the second factor.
pub(crate) async fn sign_in_proven(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    user: User,
    label: Option<DisplayName>,
    method: Way,
    authenticated: Authenticated,
) -> Result<Pending> {
    let standing = tx.second_factor_standing(user.id).await?;
    if let Some(owed) = owed_by(standing, authenticated.methods) {
        let (_, challenged) = challenge(ctx, tx, Some(user.id), owed, label, authenticated).await?;
        record_by(ctx, tx, user.id, Happened::SignInChallenged {});
        return Ok(Pending::Challenged(challenged));
    }
    Ok(Pending::Opened(Box::new(open(ctx, tx, user, label, method, authenticated).await?)))
}

async fn by_second_factor(
    ctx: &Ctx,
    challenge: Challenge,
    code: &SecretString,
    admitted: &Admitted,
) -> Result<Finished> {
    let code = SecondFactorCode::parse(code).map_err(|_| refused())?;
    let mut tx = ctx.write().await?;
    let user = owner(ctx, &mut *tx, &challenge).await?;
    if !tx.remove_challenge(challenge.id).await? {
        return Err(refused());
    }
    let standing = tx.second_factor_standing(user.id).await?;
    // A code can be entered on a page of another domain, which is why the role requires a passkey.
    if standing.is_passkey_required && (standing.has_webauthn() || !standing.has_totp) {
        return Err(refused());
    }
    let recovery_codes = if standing.is_enrolled() {
        if !factors::use_code(ctx, &mut *tx, user.id, &code).await? {
            return Err(refused());
        }
        None
    } else {
        let codes = totp::confirm_in(ctx, &mut *tx, &user, &code).await.map_err(hide_field)?;
        // No session has proven the new factor, so none of them works any more.
        pending::end(ctx, &mut *tx, user.id, Ending::OtherSessions).await?;
        Some(codes)
    };
    let (label, authenticated) = (challenge.label, challenge.authenticated.with(AuthMethods::SECOND_FACTOR_CODE));
    let pending = sign_in_proven(ctx, &mut *tx, user, label, Way::SecondFactor, authenticated).await?;
    budgets::forgive(&mut *tx, admitted).await?;
    ctx.commit(tx).await?;
    Ok(Finished { outcome: pending.issue(ctx)?, recovery_codes })
}

/// What a transaction made, to be handed out once it is committed.
pub(crate) enum Pending {
    Opened(Box<Opened>),
    Challenged(Challenged),
}

impl Pending {
    pub(crate) fn issue(self, ctx: &Ctx) -> Result<Outcome> {
        Ok(match self {
            Self::Opened(opened) => Outcome::SignedIn(Box::new(opened.issue(ctx)?)),
            Self::Challenged(challenged) => Outcome::Challenged(challenged),
        })
    }
}

/// The locked user of a challenge, if they may still sign in: the user is active, and the identity that began the sign-in
/// is still linked and its provider enabled.
pub(super) async fn owner(ctx: &Ctx, tx: &mut dyn WriteTx, challenge: &Challenge) -> Result<User> {
    let user = match challenge.user_id {
        Some(id) => tx.lock_user(id).await?,
        None => None,
    };
    let user = user.filter(|user| user.status == Status::Active).ok_or_else(refused)?;
    if let Some(used) = challenge.authenticated.identity_id {
        let identity = tx.list_identities(user.id).await?.into_iter().find(|identity| identity.id == used);
        let identity = identity.ok_or_else(refused)?;
        if !providers::is_usable(ctx, tx, &identity.provider).await? {
            return Err(refused());
        }
    }
    Ok(user)
}

/// Nobody is signed in: a wrong code is no bad input, but a bad credential.
fn hide_field(error: Error) -> Error {
    match error {
        Error::Invalid(_) | Error::NotFound(_) => refused(),
        other => other,
    }
}

pub(super) fn refused() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidCode)
}

impl From<SignedIn> for Outcome {
    fn from(signed_in: SignedIn) -> Self {
        Self::SignedIn(Box::new(signed_in))
    }
}

#[cfg(test)]
mod tests {
    use super::{AuthMethods, Owed, Standing, owed_by};
    use crate::auth_methods::AuthMethod;

    const UNPROVEN: AuthMethods = AuthMethods::PASSWORD;
    const PROVEN: AuthMethods = AuthMethods::PASSWORD.and(AuthMethods::SECOND_FACTOR_CODE);
    const PASSKEY: AuthMethods = AuthMethods::of(&[AuthMethod::SoftwareKey, AuthMethod::MultiFactor]);

    #[test]
    fn a_required_passkey_is_owed_whatever_else_was_proven() {
        let none = Standing { is_required: true, is_passkey_required: true, ..Standing::default() };
        let totp = Standing { has_totp: true, ..none };
        let key = Standing { has_security_key: true, ..totp };
        let passkey = Standing { has_passkey: true, ..none };
        for (standing, unproven, proven) in [
            (none, Owed::PasskeyEnrolment, Owed::PasskeyEnrolment),
            (totp, Owed::SecondFactor(totp), Owed::PasskeyEnrolment),
            (key, Owed::SecondFactor(key), Owed::SecondFactor(key)),
            (passkey, Owed::SecondFactor(passkey), Owed::SecondFactor(passkey)),
        ] {
            assert_eq!(owed_by(standing, UNPROVEN), Some(unproven), "{standing:?}");
            assert_eq!(owed_by(standing, PROVEN), Some(proven), "{standing:?}");
            assert_eq!(owed_by(standing, PASSKEY), None, "{standing:?}");
        }
    }

    #[test]
    fn without_such_a_role_any_second_factor_is_sufficient() {
        let required = Standing { is_required: true, ..Standing::default() };
        let totp = Standing { has_totp: true, ..required };
        for (standing, unproven) in
            [(Standing::default(), None), (required, Some(Owed::Enrolment)), (totp, Some(Owed::SecondFactor(totp)))]
        {
            assert_eq!(owed_by(standing, UNPROVEN), unproven, "{standing:?}");
            assert_eq!(owed_by(standing, PROVEN), None, "{standing:?}");
            assert_eq!(owed_by(standing, PASSKEY), None, "{standing:?}");
        }
    }
}
