//! Prove that an address is read.

use secrecy::SecretString;

use super::first_proof::{EarlierPassword, take_over};
use super::{PasswordAttempt, PasswordHash};
use crate::budgets::{self, Admitted, MailCause};
use crate::ctx::Ctx;
use crate::error::{Error, FieldError, Result};
use crate::id::OneTimeTokenId;
use crate::mail::{self, MailSubject, Wanted};
use crate::one_time::{self, Purpose};
use crate::ports::Verdict;
use crate::store::WriteTx;
use crate::users::{EmailAddress, Status, User};
use crate::users::{is_pending, record_update};

/// Asks for a link that verifies the address again, to be mailed when it is that of a user who has not done so. Whether it
/// is, is not told.
///
/// # Errors
/// [`Error::NotOffered`] where no mail is sent.
pub async fn request(ctx: &Ctx, email: &EmailAddress) -> Result<()> {
    if !ctx.policy().sends_mail {
        return Err(Error::NotOffered);
    }
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

/// The refusal of a sign-in with right credentials whose user must verify the address first. Mails another link, within
/// the limits of mail; beyond them, the previous link stays valid.
///
/// # Errors
/// The store does not do its part.
pub(crate) async fn refuse(ctx: &Ctx, user: &User) -> Result<Error> {
    let mut tx = ctx.write().await?;
    let may_mail = match budgets::admit_mail(ctx, &mut *tx, &user.email, MailCause::Verification).await {
        Err(Error::TooManyRequests { .. }) => return Ok(Error::VerificationRequired),
        admitted => admitted?,
    };
    // It may have been verified, or the address changed, since the credentials were checked.
    let current = tx.lock_user(user.id).await?.filter(|now| now.email == user.email && !now.email_verified);
    if let Some(user) = current.filter(|_| may_mail) {
        begin(ctx, &mut *tx, &user).await?;
    }
    ctx.commit(tx).await?;
    Ok(Error::VerificationRequired)
}

/// Verifies an address by the token of a mailed link.
///
/// The link alone does not tell the person who signed up from the person who reads the mail. A person who also presents the
/// password of the account, or calls from a session of it, is both, and nothing ends. Otherwise everything that was made
/// before ends, the password included.
///
/// # Errors
/// The field `token` when it is not valid, or the user has another address by now; the field `password` when it is wrong,
/// and then the link can be used again.
pub async fn confirm(ctx: &Ctx, token: &SecretString, password: Option<PasswordAttempt>) -> Result<()> {
    let id = one_time::read(ctx, Purpose::EmailVerification, token)?;
    let proven = match password {
        Some(attempt) => Some(prove_password(ctx, id, &attempt).await?),
        None => None,
    };
    let mut tx = ctx.write().await?;
    let (token, user) = one_time::take(ctx, &mut *tx, Purpose::EmailVerification, id).await?;
    if user.email != token.email {
        return Err(one_time::refused());
    }
    if !user.email_verified {
        // Read before the password may be removed: a pending account becomes one that can be signed in to.
        let status = if is_pending(&mut *tx, &user).await? { Status::Active } else { user.status };
        if !is_by_account_holder(ctx, &mut *tx, &user, proven.as_ref()).await? {
            take_over(ctx, &mut *tx, &user, EarlierPassword::Removed).await?;
        }
        let now = User { status, ..verified(ctx, user.clone()) };
        tx.update_user(&now).await?;
        record_update(ctx, &mut *tx, &user, &now);
    }
    if let Some(proven) = &proven {
        budgets::forgive(&mut *tx, &proven.admitted).await?;
    }
    ctx.commit(tx).await?;
    Ok(())
}

/// A password that was right for the user of a link. It is counted as a failure until it is forgiven.
struct ProvenPassword {
    hash: PasswordHash,
    admitted: Admitted,
}

/// Checks the password of the user whom a link verifies. Tries are counted like those of a sign-in.
async fn prove_password(ctx: &Ctx, id: OneTimeTokenId, attempt: &PasswordAttempt) -> Result<ProvenPassword> {
    let mut read = ctx.store().read().await?;
    let found = read.find_one_time_token(id, Purpose::EmailVerification, ctx.now()).await?;
    let token = found.ok_or_else(one_time::refused)?;
    let stored = read.find_password(token.user_id).await?;
    drop(read);
    let wrong = || FieldError::new("password", "wrong_password", "must be the password of the account");
    let stored = stored.ok_or_else(wrong)?;
    let admitted = budgets::admit_password(ctx, &token.email, None).await?;
    let verdict = ctx.services().hasher.verify(attempt, &stored, ctx.origin()).await;
    let (verdict, admitted) = admitted.made(ctx, verdict).await?;
    if verdict == Verdict::Wrong {
        return Err(wrong().into());
    }
    Ok(ProvenPassword { hash: stored, admitted })
}

/// Whether the caller is known as the holder of the account by something besides the link.
async fn is_by_account_holder(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    user: &User,
    proven: Option<&ProvenPassword>,
) -> Result<bool> {
    if let Some(proven) = proven {
        let current = tx.find_password(user.id).await?;
        return Ok(current.is_some_and(|current| current.expose() == proven.hash.expose()));
    }
    match ctx.signed_in() {
        Ok((caller, session)) if caller == user.id => {
            let state = tx.session_state(session).await?;
            Ok(state.is_some_and(|state| state.user_id == user.id && state.is_live(ctx.now())))
        }
        _ => Ok(false),
    }
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
