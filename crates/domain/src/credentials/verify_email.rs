//! Prove that an address is read.

use secrecy::SecretString;

use crate::budgets;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::mail::{self, MailSubject};
use crate::one_time::{self, Purpose};
use crate::store::WriteTx;
use crate::users::{EmailAddress, Status, User};

/// Mails a link that verifies the address again, when it is that of a user who has not done so. Whether it is, is not
/// told.
pub async fn request(ctx: &Ctx, email: &EmailAddress) -> Result<()> {
    let mut tx = ctx.store().write().await?;
    let may_mail = budgets::may_mail(ctx, &mut *tx, email).await?;
    let user = tx.find_user_by_email(email).await?;
    let user = user.filter(|user| may_mail && user.status == Status::Active && !user.email_verified);
    if let Some(user) = user {
        begin(ctx, &mut *tx, &user).await?;
    }
    tx.commit().await?;
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
    let mut tx = ctx.store().write().await?;
    let token = one_time::take(ctx, &mut *tx, Purpose::EmailVerification, id).await?;
    let user = tx.lock_user(token.user_id).await?;
    let user = user.filter(|user| user.email == token.email).ok_or_else(one_time::refused)?;
    if !user.email_verified {
        tx.update_user(&verified(ctx, user)).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The user once their address is proven.
pub(crate) fn verified(ctx: &Ctx, user: User) -> User {
    User { email_verified: true, version: user.version + 1, updated_at: ctx.now(), ..user }
}
