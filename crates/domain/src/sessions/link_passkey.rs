//! Register a passkey in place of a password, by the mailed link of a password reset or of an invitation, and sign in.
//!
//! A passkey is two factors, and a link proves one. So a user who has a second factor cannot add a passkey by a link:
//! anyone with access to the mail could sign in without that factor. They set a password, and prove the factor when they
//! sign in.

use secrecy::SecretString;

use super::open::open;
use super::{EndReason, SignedIn, end_all};
use crate::budgets;
use crate::credentials::first_proof::{EarlierPassword, prove_and_take_over};
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Result};
use crate::events::catalogue::{Cause, Way};
use crate::events::{Happened, record_by};
use crate::hooks;
use crate::id::OneTimeTokenId;
use crate::one_time::{self, OneTimeToken, Purpose};
use crate::passkeys::register::{self, Registration, RegistrationOptions};
use crate::passkeys::{CredentialKind, NewPasskey};
use crate::store::WriteTx;
use crate::users::{DisplayName, Status, User, activate};

/// Options to create a passkey that replaces a forgotten password. Writes nothing, and does not use the link.
///
/// # Errors
/// The field `token` if the link is not valid; [`Conflict::SecondFactorPresent`] if the user has a second factor.
pub async fn reset_options(ctx: &Ctx, token: &SecretString) -> Result<RegistrationOptions> {
    options(ctx, Purpose::PasswordReset, token).await
}

/// Options to create a passkey that an invited user joins with. Writes nothing, and does not use the link.
///
/// # Errors
/// The field `token` if the link is not valid.
pub async fn invitation_options(ctx: &Ctx, token: &SecretString) -> Result<RegistrationOptions> {
    options(ctx, Purpose::Invitation, token).await
}

/// Replaces a forgotten password by a passkey, and opens a session.
///
/// Removes the password: it is forgotten or possibly known to others, and the passkey replaces it. As after any reset, all
/// sessions end, and the address is proven.
///
/// # Errors
/// As [`reset_options`] and [`register`](register::register).
pub async fn reset(ctx: &Ctx, token: &SecretString, new: NewPasskey, label: Option<DisplayName>) -> Result<SignedIn> {
    let (id, registration) = verify(ctx, Purpose::PasswordReset, token, new).await?;
    let mut tx = ctx.write().await?;
    let user = take(ctx, &mut *tx, Purpose::PasswordReset, id).await?;
    // The first proof of an address removes the factors that were added before it.
    let user = prove_and_take_over(ctx, &mut *tx, user, EarlierPassword::Removed).await?;
    if tx.second_factor_standing(user.id).await?.is_enrolled() {
        return Err(Error::Conflict(Conflict::SecondFactorPresent));
    }
    if tx.find_password(user.id).await?.is_some() {
        tx.remove_password(user.id).await?;
        record_by(ctx, &mut *tx, user.id, Happened::PasswordChanged { cause: Cause::Removed });
    }
    end_all(ctx, &mut *tx, user.id, EndReason::PasswordChanged).await?;
    budgets::forgive_account(ctx, &mut *tx, &user.email).await?;
    finish(ctx, tx, user, &registration, label).await
}

/// Joins with a passkey, and opens a session. The address is proven.
///
/// # Errors
/// As [`invitation_options`] and [`register`](register::register).
pub async fn join(
    ctx: &Ctx,
    token: &SecretString,
    new: NewPasskey,
    name: Option<DisplayName>,
    label: Option<DisplayName>,
) -> Result<SignedIn> {
    let (id, registration) = verify(ctx, Purpose::Invitation, token, new).await?;
    let mut tx = ctx.write().await?;
    let user = take(ctx, &mut *tx, Purpose::Invitation, id).await?;
    let name = name.unwrap_or_else(|| user.name.clone());
    let user = activate(ctx, &mut *tx, user, name, EarlierPassword::Removed).await?;
    finish(ctx, tx, user, &registration, label).await
}

async fn options(ctx: &Ctx, purpose: Purpose, token: &SecretString) -> Result<RegistrationOptions> {
    let (id, user) = find(ctx, purpose, token).await?;
    // The first proof of an address removes the factors that were added before it.
    let has_factor =
        user.email_verified && ctx.store().read().await?.second_factor_standing(user.id).await?.is_enrolled();
    if has_factor {
        return Err(Error::Conflict(Conflict::SecondFactorPresent));
    }
    register::options_beside(ctx, &context(purpose, id), &user, Vec::new(), CredentialKind::Passkey)
}

/// Verifies the credential before anything is locked.
async fn verify(
    ctx: &Ctx,
    purpose: Purpose,
    token: &SecretString,
    new: NewPasskey,
) -> Result<(OneTimeTokenId, Registration)> {
    let (id, user) = find(ctx, purpose, token).await?;
    let registration = register::verify(ctx, &context(purpose, id), user.id, new)?;
    hooks::before_sign_in(ctx, user.id, Way::Passkey).await?;
    Ok((id, registration))
}

/// The link of a token, and its user. Only [`take`] decides.
async fn find(ctx: &Ctx, purpose: Purpose, token: &SecretString) -> Result<(OneTimeTokenId, User)> {
    let id = one_time::read(ctx, purpose, token)?;
    let mut read = ctx.store().read().await?;
    let token = read.find_one_time_token(id, purpose, ctx.now()).await?.ok_or_else(one_time::refused)?;
    let user = read.find_user(token.user_id).await?.ok_or_else(one_time::refused)?;
    Ok((id, require_usable(&token, user)?))
}

/// Uses the link, and locks its user.
async fn take(ctx: &Ctx, tx: &mut dyn WriteTx, purpose: Purpose, id: OneTimeTokenId) -> Result<User> {
    let (token, user) = one_time::take(ctx, tx, purpose, id).await?;
    require_usable(&token, user)
}

/// The user of a link, if it is for them as they are now.
fn require_usable(token: &OneTimeToken, user: User) -> Result<User> {
    let expected = if token.purpose == Purpose::Invitation { Status::Invited } else { Status::Active };
    if user.status == expected && user.email == token.email { Ok(user) } else { Err(one_time::refused()) }
}

/// Adds the passkey to a [locked](crate::users::store::UserWrites::lock_user), active user without a second factor, and
/// opens a session that has proven it.
async fn finish(
    ctx: &Ctx,
    mut tx: Box<dyn WriteTx>,
    user: User,
    registration: &Registration,
    label: Option<DisplayName>,
) -> Result<SignedIn> {
    register::add(ctx, &mut *tx, &user, registration).await?;
    let methods = registration.passkey.auth_methods();
    let opened = open(ctx, &mut *tx, user, label, Way::Passkey, methods.into()).await?;
    ctx.commit(tx).await?;
    let signed_in = opened.issue(ctx)?;
    hooks::after_sign_in(ctx, &signed_in).await?;
    Ok(signed_in)
}

/// A state is accepted with the link that it was made for only.
fn context(purpose: Purpose, link: OneTimeTokenId) -> Vec<u8> {
    let purpose = purpose.as_str().as_bytes();
    [b"passkey by link ".as_slice(), purpose, b" ", link.as_uuid().as_bytes()].concat()
}
