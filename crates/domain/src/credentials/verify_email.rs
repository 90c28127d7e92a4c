//! Prove that an address is read.

use secrecy::SecretString;

use crate::api_keys;
use crate::budgets::{self, MailCause};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::events::catalogue::FactorKind;
use crate::events::{Happened, record_by};
use crate::mail::{self, MailSubject, Wanted};
use crate::one_time::{self, Purpose};
use crate::store::WriteTx;
use crate::users::record_update;
use crate::users::{EmailAddress, User};

/// Asks for a link that verifies the address again, to be mailed when it is that of a user who has not done so. Whether it
/// is, is not told.
pub async fn request(ctx: &Ctx, email: &EmailAddress) -> Result<()> {
    let mut tx = ctx.write().await?;
    if budgets::admit_mail(ctx, &mut *tx, email, MailCause::Verification).await? {
        mail::want(ctx, &mut *tx, email, Wanted::EmailVerification).await?;
    }
    ctx.commit(tx).await?;
    Ok(())
}

/// Mails the user a link that verifies their address.
pub(crate) async fn begin(ctx: &Ctx, tx: &mut dyn WriteTx, user: &User) -> Result<()> {
    if !ctx.policy().sends_mail {
        return Ok(());
    }
    let token = one_time::make(ctx, tx, user.id, Purpose::EmailVerification, &user.email).await?;
    let subject = MailSubject::EmailVerification(token.id);
    mail::enqueue(ctx, tx, (user, &user.email), subject, token.expires_at).await
}

/// Verifies an address by the token of a mailed link.
///
/// # Errors
/// The field `token` when it is not good, or the user has another address by now.
pub async fn confirm(ctx: &Ctx, token: &SecretString) -> Result<()> {
    let id = one_time::read(ctx, Purpose::EmailVerification, token)?;
    let mut tx = ctx.write().await?;
    let (token, user) = one_time::take(ctx, &mut *tx, Purpose::EmailVerification, id).await?;
    if user.email != token.email {
        return Err(one_time::refused());
    }
    if !user.email_verified {
        prove_email(ctx, &mut *tx, user).await?;
    }
    ctx.commit(tx).await?;
    Ok(())
}

/// The user once their address is proven.
pub(crate) fn verified(ctx: &Ctx, user: User) -> User {
    User { email_verified: true, version: user.version + 1, updated_at: ctx.now(), ..user }
}

/// Notes that the address is proven.
pub(crate) async fn prove_email(ctx: &Ctx, tx: &mut dyn WriteTx, before: User) -> Result<User> {
    let user = verified(ctx, before.clone());
    tx.update_user(&user).await?;
    record_update(ctx, tx, &before, &user);
    Ok(user)
}

/// Takes an account back for whoever has just proven to read its mail: what was set up before, anybody may have set up who
/// only claimed the address. The password is for the caller to replace or to remove.
pub(crate) async fn reclaim(ctx: &Ctx, tx: &mut dyn WriteTx, user: &User) -> Result<()> {
    // One that was never confirmed was never told of.
    let was_confirmed = tx.second_factor_standing(user.id).await?.is_enrolled;
    if tx.remove_totp(user.id).await? && was_confirmed {
        record_by(ctx, tx, user.id, Happened::FactorRemoved { factor: FactorKind::Totp });
    }
    tx.set_recovery_codes(user.id, &[]).await?;
    api_keys::delete_all(ctx, tx, user.id).await?;
    Ok(())
}
