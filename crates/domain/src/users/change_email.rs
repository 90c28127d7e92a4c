//! Change one's address: asked for at the old one, confirmed at the new one.

use secrecy::SecretString;

use super::{EmailAddress, Status, User};
use super::{record_update, require_allowed_domain};
use crate::budgets::{self, MailCause};
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Resource, Result};
use crate::events::{Happened, record};
use crate::mail::{self, MailSubject};
use crate::one_time::{self, Purpose};
use crate::pending::{self, Ending};
use crate::sessions::step_up;
use crate::store::WriteTx;

/// Mails a link to the new address that makes it the caller's. Until then nothing changes. Whether another user has it is
/// not told.
pub async fn request(ctx: &Ctx, email: &EmailAddress) -> Result<()> {
    let (id, _) = ctx.signed_in()?;
    if !ctx.policy().sends_mail {
        return Err(Error::NotOffered);
    }
    require_allowed_domain(ctx, email)?;
    let mut tx = ctx.write_on(&[id.into()]).await?;
    let user = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    begin(ctx, &mut *tx, &user, email).await?;
    ctx.commit(tx).await?;
    Ok(())
}

/// The same within a transaction.
pub(super) async fn begin(ctx: &Ctx, tx: &mut dyn WriteTx, user: &User, email: &EmailAddress) -> Result<()> {
    step_up::require(ctx, tx).await?;
    // Somebody else's address gets no mail: whoever sends it looks, so that the work here is the same.
    let may_mail = budgets::admit_mail(ctx, tx, email, MailCause::EmailChange).await?;
    let token = one_time::make(ctx, tx, user.id, Purpose::EmailChange, email).await?;
    record(ctx, tx, user.id, Happened::EmailChangeRequested { email: email.clone() });
    if may_mail {
        let subject = MailSubject::EmailChange(token.id);
        mail::enqueue(ctx, tx, (user, email), subject, token.expires_at).await?;
    }
    Ok(())
}

/// Takes the new address by the token of a mailed link, and tells the old one.
///
/// # Errors
/// The field `token` when it is not good; [`Conflict::EmailTaken`] when another user took the address meanwhile.
pub async fn confirm(ctx: &Ctx, token: &SecretString) -> Result<()> {
    let id = one_time::read(ctx, Purpose::EmailChange, token)?;
    let mut tx = ctx.write().await?;
    let (token, before) = one_time::take(ctx, &mut *tx, Purpose::EmailChange, id).await?;
    if before.status != Status::Active {
        return Err(one_time::refused());
    }
    let user = User {
        email: token.email,
        email_verified: true,
        version: before.version + 1,
        updated_at: ctx.now(),
        ..before.clone()
    };
    if !tx.update_user(&user).await? {
        return Err(Error::Conflict(Conflict::EmailTaken));
    }
    record_update(ctx, &mut *tx, &before, &user);
    changed(ctx, &mut *tx, &before).await?;
    ctx.commit(tx).await?;
    Ok(())
}

/// What follows when a user has another address: links and codes that the old one got are dead, and it is told.
pub(in crate::users) async fn changed(ctx: &Ctx, tx: &mut dyn WriteTx, before: &User) -> Result<()> {
    pending::end(ctx, tx, before.id, Ending::EmailChanged).await?;
    mail::tell(ctx, tx, before, MailSubject::EmailChanged).await
}
