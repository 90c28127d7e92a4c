//! Reset a forgotten password by mail.

use secrecy::SecretString;

use super::NewPassword;
use super::first_proof::{EarlierPassword, prove_and_take_over};
use crate::budgets::{self, MailCause};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::events::catalogue::Cause;
use crate::events::{Happened, record_by};
use crate::mail::{self, MailSubject, Wanted};
use crate::one_time::{self, Purpose};
use crate::sessions::{EndReason, end_all};
use crate::users::{EmailAddress, Status};

/// Asks for a link that sets a new password, to be mailed when the address is that of an active user. Whether it is, is
/// not told: not by the answer, and not by the work that it takes.
///
/// # Errors
/// [`Error::NotOffered`] where no mail is sent.
pub async fn request(ctx: &Ctx, email: &EmailAddress) -> Result<()> {
    if !ctx.policy().sends_mail {
        return Err(Error::NotOffered);
    }
    let mut tx = ctx.write().await?;
    if budgets::admit_mail(ctx, &mut *tx, email, MailCause::PasswordReset).await? {
        mail::want(ctx, &mut *tx, email, Wanted::PasswordReset).await?;
    }
    ctx.commit(tx).await?;
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

    let mut tx = ctx.write().await?;
    let (token, user) = one_time::take(ctx, &mut *tx, Purpose::PasswordReset, id).await?;
    if user.status != Status::Active || user.email != token.email {
        return Err(one_time::refused());
    }
    let now = ctx.now();
    tx.set_password(user.id, &hash, now).await?;
    record_by(ctx, &mut *tx, user.id, Happened::PasswordChanged { cause: Cause::Reset });
    end_all(ctx, &mut *tx, user.id, EndReason::PasswordChanged).await?;
    let user = prove_and_take_over(ctx, &mut *tx, user, EarlierPassword::Replaced).await?;
    mail::tell(ctx, &mut *tx, &user, MailSubject::PasswordChanged).await?;
    // Whoever reads the mail is the owner: nobody else's failures keep them waiting.
    budgets::forgive_account(ctx, &mut *tx, &user.email).await?;
    ctx.commit(tx).await?;
    Ok(())
}
