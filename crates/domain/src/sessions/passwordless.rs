//! Sign in by mail: a code that is typed, or a link that is followed. Each is offered by configuration.

use secrecy::SecretString;

use super::challenge::{self, Challenged, Owed, proven_by_mail};
use super::finished::finished;
use super::{Outcome, SignInMethod};
use crate::auth_methods::Authenticated;
use crate::budgets::{self, MailCause};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::events::catalogue::Way;
use crate::hooks;
use crate::mail::{self, MailSubject, Wanted};
use crate::one_time::{self, Purpose};
use crate::users::{DisplayName, EmailAddress, Status};

/// Mails a code, when the address is that of an active user, and answers with the challenge that it meets. Whether it is,
/// is not told: nobody's challenge looks like any other.
pub async fn request_code(ctx: &Ctx, email: &EmailAddress, label: Option<DisplayName>) -> Result<Challenged> {
    if !(ctx.policy().offers_mailed_codes && ctx.policy().sends_mail) {
        return Err(Error::NotOffered);
    }
    let mut tx = ctx.write().await?;
    let may_mail = budgets::admit_mail(ctx, &mut *tx, email, MailCause::SignInCode).await?;
    let user = tx.find_user_by_email(email).await?;
    // Where nothing may be mailed any more, nobody is signing in.
    let owner = user.filter(|user| may_mail && user.status == Status::Active).map(|user| user.id);
    let (id, challenged) =
        challenge::challenge(ctx, &mut *tx, owner, Owed::MailedCode, label, Authenticated::default()).await?;
    if may_mail {
        // Nobody's is not sent: whoever would send it looks, so that the work here is the same.
        let expires_at = ctx.now().plus_seconds(challenged.expires_in_s);
        mail::enqueue_to_nobody(ctx, &mut *tx, email, MailSubject::SignInCode(id), expires_at).await?;
    }
    ctx.commit(tx).await?;
    Ok(challenged)
}

/// Mails a link that signs in, when the address is that of an active user. Whether it is, is not told.
pub async fn request_link(ctx: &Ctx, email: &EmailAddress) -> Result<()> {
    if !(ctx.policy().offers_magic_links && ctx.policy().sends_mail) {
        return Err(Error::NotOffered);
    }
    let mut tx = ctx.write().await?;
    if budgets::admit_mail(ctx, &mut *tx, email, MailCause::SignInLink).await? {
        mail::want(ctx, &mut *tx, email, Wanted::SignInLink).await?;
    }
    ctx.commit(tx).await?;
    Ok(())
}

/// Signs in by the token of a mailed link; a second factor may be owed still.
///
/// # Errors
/// The field `token` when it is not good.
pub async fn follow_link(ctx: &Ctx, token: &SecretString, label: Option<DisplayName>) -> Result<Outcome> {
    let result = by_link(ctx, token, label).await;
    finished(ctx, SignInMethod::MagicLink, result).await
}

async fn by_link(ctx: &Ctx, token: &SecretString, label: Option<DisplayName>) -> Result<Outcome> {
    if !ctx.policy().offers_magic_links {
        return Err(Error::NotOffered);
    }
    let id = one_time::read(ctx, Purpose::SignIn, token)?;
    if hooks::are_called(ctx) {
        let token = ctx.store().read().await?.find_one_time_token(id, Purpose::SignIn, ctx.now()).await?;
        hooks::before_sign_in(ctx, token.ok_or_else(one_time::refused)?.user_id, Way::MagicLink).await?;
    }
    let mut tx = ctx.write().await?;
    let (token, user) = one_time::take(ctx, &mut *tx, Purpose::SignIn, id).await?;
    if user.status != Status::Active || user.email != token.email {
        return Err(one_time::refused());
    }
    let pending = proven_by_mail(ctx, &mut *tx, user, label, Way::MagicLink).await?;
    ctx.commit(tx).await?;
    pending.issue(ctx)
}
