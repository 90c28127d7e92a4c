//! Reset a forgotten password by mail.

use secrecy::SecretString;

use super::NewPassword;
use super::change::forget_proofs;
use super::verify_email::verified;
use crate::budgets;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::mail::{self, MailSubject};
use crate::one_time::{self, Purpose};
use crate::sessions::EndReason;
use crate::users::{EmailAddress, Status};

/// Mails a link that sets a new password, when the address is that of an active user. Whether it is, is not told: not by
/// the answer, and not by the work that it takes.
pub async fn request(ctx: &Ctx, email: &EmailAddress) -> Result<()> {
    let mut tx = ctx.store().write().await?;
    let may_mail = budgets::may_mail(ctx, &mut *tx, email).await? && ctx.policy().sends_mail;
    let user = tx.find_user_by_email(email).await?.filter(|user| user.status == Status::Active);
    if let Some(user) = user.filter(|_| may_mail) {
        let token = one_time::make(ctx, &mut *tx, user.id, Purpose::PasswordReset, email).await?;
        let subject = MailSubject::PasswordReset(token.id);
        mail::enqueue(ctx, &mut *tx, (&user, email), subject, token.expires_at).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Sets a new password by the token of a mailed link. Every session ends, and whoever reads the mail has proven that it
/// is their address.
///
/// # Errors
/// The field `token` when it is not good; the field `new_password` when it is made of the user's own words.
pub async fn confirm(ctx: &Ctx, token: &SecretString, new: NewPassword) -> Result<()> {
    let id = one_time::read(ctx, Purpose::PasswordReset, token)?;
    let mut read = ctx.store().read().await?;
    // To look costs nothing, and a hash does. Taking the token decides.
    let found = read.find_one_time_token(id, Purpose::PasswordReset, ctx.now()).await?;
    let owner = found.ok_or_else(one_time::refused)?.user_id;
    let user = read.find_user(owner).await?.ok_or_else(one_time::refused)?;
    drop(read);
    let new = new.for_user(ctx.policy(), &user.email, &user.name).map_err(|rule| rule.at("new_password"))?;
    let hash = ctx.services().hasher.hash(&new, ctx.origin()).await?;

    let mut tx = ctx.store().write().await?;
    let token = one_time::take(ctx, &mut *tx, Purpose::PasswordReset, id).await?;
    let mut user = tx.lock_user(owner).await?.ok_or_else(one_time::refused)?;
    if user.status != Status::Active || user.email != token.email {
        return Err(one_time::refused());
    }
    let now = ctx.now();
    tx.set_password(user.id, &hash, now).await?;
    tx.end_user_sessions(user.id, EndReason::PasswordChanged, now).await?;
    if !user.email_verified {
        user = verified(ctx, user);
        tx.update_user(&user).await?;
    }
    forget_proofs(ctx, &mut *tx, &user).await?;
    // Whoever reads the mail is the owner: nobody else's failures keep them waiting.
    budgets::forgive_account(ctx, &mut *tx, &user.email).await?;
    tx.commit().await?;
    Ok(())
}
