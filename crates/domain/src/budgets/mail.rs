//! Bound how much mail a client, an account and a mailbox cause or receive. Everything that causes mail passes
//! [`admit_mail`] or `admit_notification`, once.

use super::store::Window;
use super::{BudgetKey, HOUR_S, RETRY_AFTER_S};
use crate::access::{Actor, Permission, Principal};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::one_time::Purpose;
use crate::store::WriteTx;
use crate::users::{EmailAddress, User};

/// How many times as many messages a caller who may write users may cause: they invite people.
const PRIVILEGED_FACTOR: u32 = 50;

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailCause {
    /// An account was created with the address.
    SignUp,
    /// A link that verifies the address was requested.
    Verification,
    /// A link that resets the password was requested for the address.
    PasswordReset,
    /// A link that signs in was requested for the address.
    SignInLink,
    /// A code that signs in was requested for the address.
    SignInCode,
    /// A user asked to have the address.
    EmailChange,
    /// A person is invited.
    Invitation,
    /// An administrator gave a user another address.
    AddressReplaced,
}

impl MailCause {
    /// What is counted together for one mailbox.
    fn purpose(self) -> &'static str {
        match self {
            Self::SignUp | Self::Verification | Self::AddressReplaced => Purpose::EmailVerification.as_str(),
            Self::PasswordReset => Purpose::PasswordReset.as_str(),
            Self::SignInLink => Purpose::SignIn.as_str(),
            Self::SignInCode => "sign_in_code",
            Self::EmailChange => Purpose::EmailChange.as_str(),
            Self::Invitation => Purpose::Invitation.as_str(),
        }
    }
}

/// Counts a message against the client's address, the caller's account and the recipient's mailbox, with the transaction
/// that writes it. `false` when the mailbox has had enough: then no mail is written, and the answer is the same, or a
/// stranger would learn who was written to.
///
/// Who may write users is counted by their account alone. The command line and the server itself are not counted, and
/// nothing is where no mail is sent.
///
/// # Errors
/// [`Error::TooManyRequests`] when the client or the account has caused enough, for whatever recipient.
pub async fn admit_mail(ctx: &Ctx, tx: &mut dyn WriteTx, to: &EmailAddress, cause: MailCause) -> Result<bool> {
    if !is_counted(ctx) {
        return Ok(true);
    }
    if !spend_of_sender(ctx, tx, Some(cause)).await? {
        return Err(Error::TooManyRequests { retry_after_s: RETRY_AFTER_S });
    }
    spend_of_mailbox(ctx, tx, to, cause.purpose()).await
}

/// Counts a notification of what happened to an account. `false` when it is not to be sent; the act itself is not refused.
///
/// It follows from an act that is bounded by itself, so that it is counted against the mailbox alone. An address that is
/// not proven may be a stranger's, chosen at sign-up: for it the client and the account are counted too.
pub(crate) async fn admit_notification(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    user: &User,
    name: &'static str,
) -> Result<bool> {
    if !is_counted(ctx) {
        return Ok(true);
    }
    let may_send = user.email_verified || spend_of_sender(ctx, tx, None).await?;
    Ok(may_send && spend_of_mailbox(ctx, tx, &user.email, name).await?)
}

fn is_counted(ctx: &Ctx) -> bool {
    ctx.policy().sends_mail && !matches!(ctx.actor(), Actor::Operator | Actor::System)
}

/// Spends one message of the client and of the account; `false` when one of them has caused enough.
async fn spend_of_sender(ctx: &Ctx, tx: &mut dyn WriteTx, cause: Option<MailCause>) -> Result<bool> {
    // In one order everywhere: transactions that wait for each other here do not do so in a circle.
    for (key, limit) in counted_against_the_sender(ctx, cause) {
        if !tx.spend_window(&Window { key, amount: 1, limit, period_s: HOUR_S }, ctx.now()).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Spends one message of the mailbox; `false` when it has had enough of the kind.
async fn spend_of_mailbox(ctx: &Ctx, tx: &mut dyn WriteTx, to: &EmailAddress, purpose: &str) -> Result<bool> {
    let key = BudgetKey::mail(ctx.services().vault.as_ref(), to, purpose);
    let window = Window { key, amount: 1, limit: ctx.policy().guessing.mails_per_hour, period_s: HOUR_S };
    Ok(tx.spend_window(&window, ctx.now()).await?)
}

/// The budgets that the sender of the request spends: of the client, and of the account.
fn counted_against_the_sender(ctx: &Ctx, cause: Option<MailCause>) -> Vec<(BudgetKey, u32)> {
    let vault = ctx.services().vault.as_ref();
    let limits = &ctx.policy().guessing;
    let mut counted = Vec::new();
    let is_privileged = ctx.holds(Permission::UsersWrite);
    if !is_privileged {
        counted.extend(BudgetKey::mail_requests(vault, ctx.origin()).zip(Some(limits.mail_requests_per_hour)));
        if cause == Some(MailCause::SignUp) {
            counted.extend(BudgetKey::sign_up_mails(vault, ctx.origin()).zip(Some(limits.sign_up_mails_per_hour)));
        }
    }
    if let Actor::Known(Principal { subject, .. }) = ctx.actor() {
        let factor = if is_privileged { PRIVILEGED_FACTOR } else { 1 };
        let limit = limits.account_mails_per_hour.saturating_mul(factor);
        counted.push((BudgetKey::account_mails(vault, subject), limit));
    }
    counted
}
