//! Time-based one-time passwords (RFC 6238): set one up, and check its codes.

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use totp_rs::{Builder, Secret, Totp};

use super::{SecondFactorCode, TotpFactor, recovery, wrong_code};
use crate::auth_methods::AuthMethods;
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Resource, Result};
use crate::events::catalogue::FactorKind;
use crate::events::{Happened, record_by};
use crate::id::{SessionId, UserId};
use crate::mail::{self, MailSubject};
use crate::sessions::store::Proof;
use crate::sessions::{EndReason, end_others, step_up};
use crate::store::WriteTx;
use crate::users::User;

/// How many digits a code has.
pub(super) const DIGITS: u8 = 6;
/// How long a code is shown, in seconds.
const STEP_S: u64 = 30;
/// How many steps before and after the present one are taken: clocks differ, and people type slowly (RFC 6238 §5.2).
const SKEW: u16 = 1;
/// 160 bits, as RFC 4226 §4 recommends.
const SECRET_BYTES: usize = 20;

/// A secret that is yet to be confirmed by a code.
#[derive(Debug)]
pub struct Enrolment {
    /// The secret in base32, for manual entry.
    pub secret: SecretString,
    /// The same as an `otpauth:` address, to be scanned.
    pub uri: SecretString,
}

/// Makes a secret for the caller. It counts for nothing until [`confirm`]; another call makes another one.
pub async fn begin(ctx: &Ctx) -> Result<Enrolment> {
    let (id, _) = ctx.signed_in()?;
    let mut tx = ctx.write_on(&[id.into()]).await?;
    let user = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    step_up::require(ctx, &mut *tx).await?;
    let enrolment = make(ctx, &mut *tx, &user).await?;
    ctx.commit(tx).await?;
    Ok(enrolment)
}

/// Makes a secret for a user who is known by another factor.
pub(crate) async fn make(ctx: &Ctx, tx: &mut dyn WriteTx, user: &User) -> Result<Enrolment> {
    let mut secret = [0; SECRET_BYTES];
    ctx.services().random.fill(&mut secret);
    let factor = TotpFactor {
        user_id: user.id,
        sealed_secret: seal(ctx, user.id, &secret),
        created_at: ctx.now(),
        confirmed_at: None,
        last_step: 0,
    };
    if !tx.put_totp(&factor).await? {
        return Err(Error::Conflict(Conflict::SecondFactorPresent));
    }
    record_by(ctx, tx, user.id, Happened::FactorBegun {});
    let issuer = ctx.policy().product_name.replace(':', " ");
    let builder = generator(&secret).with_account_name(user.email.as_str()).with_issuer(Some(issuer));
    let totp = builder.build().map_err(defect)?;
    Ok(Enrolment { secret: totp.secret().to_base32().into(), uri: totp.to_url().map_err(defect)?.into() })
}

/// Confirms the caller's secret by a code of it. Their other sessions end. The recovery codes are shown this once.
///
/// # Errors
/// The field `code` when it is wrong.
pub async fn confirm(ctx: &Ctx, code: &SecondFactorCode) -> Result<Vec<SecretString>> {
    let (id, session) = ctx.signed_in()?;
    let mut tx = ctx.write_on(&[id.into()]).await?;
    let user = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    step_up::require(ctx, &mut *tx).await?;
    let codes = confirm_in(ctx, &mut *tx, &user, code).await?;
    keep_only(ctx, &mut *tx, id, session).await?;
    ctx.commit(tx).await?;
    Ok(codes)
}

/// The same for whoever is known by another factor, and has no session yet.
pub(crate) async fn confirm_in(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    user: &User,
    code: &SecondFactorCode,
) -> Result<Vec<SecretString>> {
    let factor = tx.find_totp(user.id).await?.filter(|factor| factor.confirmed_at.is_none());
    let factor = factor.ok_or(Error::NotFound(Resource::SecondFactor))?;
    let SecondFactorCode::Totp(digits) = code else { return Err(wrong_code()) };
    let step = step_of(ctx, &factor, digits)?.ok_or_else(wrong_code)?;
    if !tx.confirm_totp(user.id, factor.created_at, step, ctx.now()).await? {
        return Err(wrong_code());
    }
    let codes = recovery::set(ctx, tx, user.id).await?;
    record_by(ctx, tx, user.id, Happened::FactorAdded { factor: FactorKind::Totp });
    mail::tell(ctx, tx, user, MailSubject::SecondFactorAdded).await?;
    Ok(codes)
}

/// The session that confirmed has proven the factor; none of the others has.
async fn keep_only(ctx: &Ctx, tx: &mut dyn WriteTx, user: UserId, session: SessionId) -> Result<()> {
    tx.record_proof(session, Proof { methods: AuthMethods::SECOND_FACTOR_CODE, at: ctx.now() }).await?;
    end_others(ctx, tx, user, session, EndReason::SecondFactorChanged).await?;
    Ok(())
}

/// The time step whose code it is, of those that are good now.
pub(super) fn step_of(ctx: &Ctx, factor: &TotpFactor, digits: &SecretString) -> Result<Option<i64>> {
    let totp: Totp = generator(unseal(ctx, factor)?.expose_secret()).build().map_err(defect)?;
    let now = ctx.now().as_seconds().max(0).cast_unsigned();
    Ok(totp.check(digits.expose_secret(), now).map(u64::cast_signed))
}

fn generator(secret: &[u8]) -> Builder {
    Builder::new()
        .with_secret(Secret::new(secret.into()))
        .with_digits(DIGITS)
        .with_step_duration(STEP_S)
        .with_skew(SKEW)
}

/// Reads a secret in base32 (RFC 4648 §6), with or without padding, spaces and lower case; `None` if it is none.
#[must_use]
pub fn read_secret(base32: &SecretString) -> Option<SecretSlice<u8>> {
    let is_kept = |c: &char| *c != ' ' && *c != '=';
    let text =
        SecretString::from(base32.expose_secret().chars().filter(is_kept).collect::<String>().to_ascii_uppercase());
    let secret = Secret::try_from_base32(text.expose_secret()).ok()?;
    Some(secret.as_bytes().to_vec().into())
}

/// The base32 of a secret.
#[must_use]
pub fn write_secret(secret: &SecretSlice<u8>) -> SecretString {
    Secret::new(secret.expose_secret().into()).to_base32().into()
}

/// Seals a secret for its user.
pub(crate) fn seal(ctx: &Ctx, user: UserId, secret: &[u8]) -> Vec<u8> {
    ctx.services().vault.seal(&context(user), secret)
}

/// Opens the sealed secret of a factor.
pub(crate) fn unseal(ctx: &Ctx, factor: &TotpFactor) -> Result<SecretSlice<u8>> {
    let secret = ctx.services().vault.open(&context(factor.user_id), &factor.sealed_secret);
    secret.map(SecretSlice::from).ok_or_else(|| Error::Internal("a TOTP secret cannot be decrypted".into()))
}

/// A sealed secret opens for its user only.
fn context(user: UserId) -> Vec<u8> {
    [b"totp ".as_slice(), user.as_uuid().as_bytes()].concat()
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn defect(error: totp_rs::TotpError) -> Error {
    Error::Internal(error.to_string().into())
}
