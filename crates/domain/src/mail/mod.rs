//! Mail: what is to be told to an address, kept in an outbox with the change that is its reason.
//!
//! An outbox holds no link and no code. Whoever sends a mail derives them from the token or the challenge that it is
//! about, so that neither a dump of the database nor a copy of it opens anything.

mod deliver;
mod grant;
pub mod store;

pub use deliver::{Delivery, LEASE_S, deliver, hasten, take};

use crate::budgets;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::id::{ChallengeId, MailId, OneTimeTokenId};
use crate::store::WriteTx;
use crate::time::Timestamp;
use crate::trace;
use crate::users::{DisplayName, EmailAddress, Locale, User};

/// How long news is worth sending, in seconds.
pub(crate) const NEWS_KEPT_S: u32 = 24 * 60 * 60;

/// A mail that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Names it; its `Message-ID` is made of it, so that a repetition is known as one.
    pub id: MailId,
    /// What it says.
    pub subject: MailSubject,
    /// To whom.
    pub to: EmailAddress,
    /// Display name.
    pub name: DisplayName,
    /// The language that they read, as far as it is known.
    pub locale: Option<Locale>,
    /// When it was written.
    pub created_at: Timestamp,
    /// From when it is not worth sending any more.
    pub expires_at: Timestamp,
}

/// A mail taken from the outbox, to be sent by whoever took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueMail {
    /// Names it.
    pub id: MailId,
    /// How often it was taken, this time included.
    pub attempts: u32,
    /// From when it is not worth sending any more.
    pub expires_at: Timestamp,
    /// The mail; `None` when another release wrote what this one cannot read.
    pub mail: Option<Mail>,
}

/// What a mail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSubject {
    /// A link that sets a new password.
    PasswordReset(OneTimeTokenId),
    /// A link that proves that the address is read.
    EmailVerification(OneTimeTokenId),
    /// A link that makes this address the user's; sent to the new one.
    EmailChange(OneTimeTokenId),
    /// A link to join with.
    Invitation(OneTimeTokenId),
    /// A link that signs in.
    SignInLink(OneTimeTokenId),
    /// A code that signs in.
    SignInCode(ChallengeId),
    /// News: the password was changed.
    PasswordChanged,
    /// News, to the old address: the address was changed.
    EmailChanged,
    /// News: there is a second factor.
    SecondFactorAdded,
    /// News: there is no second factor any more.
    SecondFactorRemoved,
    /// News: an identity at an outside provider was linked.
    IdentityLinked,
    /// News: an identity at an outside provider was unlinked.
    IdentityUnlinked,
    /// News: the recovery codes were replaced.
    RecoveryCodesReplaced,
    /// Notification: a passkey was added.
    PasskeyAdded,
    /// Notification: a passkey was removed.
    PasskeyRemoved,
    /// Notification: the account will be deleted when the mail expires.
    DeletionScheduled,
    /// The address was signed up with again; it has an account already.
    AccountExists,
    /// Somebody asked for a mail to an address. Whether anybody has it is looked up by whoever sends: to ask costs the
    /// same for every address.
    Wanted(Wanted),
}

/// What somebody asked for by an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A link that sets a new password.
    PasswordReset,
    /// A link that verifies the address.
    EmailVerification,
    /// A link that signs in.
    SignInLink,
}

impl Wanted {
    /// Every one.
    pub const ALL: &[Self] = &[Self::PasswordReset, Self::EmailVerification, Self::SignInLink];

    /// Its stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "wanted_password_reset",
            Self::EmailVerification => "wanted_email_verification",
            Self::SignInLink => "wanted_sign_in_link",
        }
    }

    fn parse(stored: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|wanted| wanted.as_str() == stored)
    }
}

impl MailSubject {
    /// Its stored name, which is also the name of its template.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset(_) => "password_reset",
            Self::EmailVerification(_) => "email_verification",
            Self::EmailChange(_) => "email_change",
            Self::Invitation(_) => "invitation",
            Self::SignInLink(_) => "sign_in_link",
            Self::SignInCode(_) => "sign_in_code",
            Self::PasswordChanged => "password_changed",
            Self::EmailChanged => "email_changed",
            Self::SecondFactorAdded => "second_factor_added",
            Self::SecondFactorRemoved => "second_factor_removed",
            Self::IdentityLinked => "identity_linked",
            Self::IdentityUnlinked => "identity_unlinked",
            Self::RecoveryCodesReplaced => "recovery_codes_replaced",
            Self::PasskeyAdded => "passkey_added",
            Self::PasskeyRemoved => "passkey_removed",
            Self::DeletionScheduled => "deletion_scheduled",
            Self::AccountExists => "account_exists",
            Self::Wanted(wanted) => wanted.as_str(),
        }
    }

    /// Whether what is done to send it depends on whether the address has an account, which the requester must not
    /// learn.
    #[must_use]
    pub const fn depends_on_account(self) -> bool {
        match self {
            Self::Wanted(_) | Self::SignInCode(_) | Self::EmailChange(_) => true,
            Self::PasswordReset(_)
            | Self::EmailVerification(_)
            | Self::Invitation(_)
            | Self::SignInLink(_)
            | Self::PasswordChanged
            | Self::EmailChanged
            | Self::SecondFactorAdded
            | Self::SecondFactorRemoved
            | Self::IdentityLinked
            | Self::IdentityUnlinked
            | Self::RecoveryCodesReplaced
            | Self::PasskeyAdded
            | Self::PasskeyRemoved
            | Self::DeletionScheduled
            | Self::AccountExists => false,
        }
    }

    /// The token or the challenge that it is about.
    #[must_use]
    pub const fn id(self) -> Option<uuid::Uuid> {
        match self {
            Self::PasswordReset(id)
            | Self::EmailVerification(id)
            | Self::EmailChange(id)
            | Self::Invitation(id)
            | Self::SignInLink(id) => Some(id.as_uuid()),
            Self::SignInCode(id) => Some(id.as_uuid()),
            Self::PasswordChanged
            | Self::EmailChanged
            | Self::SecondFactorAdded
            | Self::SecondFactorRemoved
            | Self::IdentityLinked
            | Self::IdentityUnlinked
            | Self::RecoveryCodesReplaced
            | Self::PasskeyAdded
            | Self::PasskeyRemoved
            | Self::DeletionScheduled
            | Self::AccountExists
            | Self::Wanted(_) => None,
        }
    }

    /// Takes over what a store kept; `None` when another release wrote what this one does not know.
    #[must_use]
    pub fn from_stored(name: &str, id: Option<uuid::Uuid>) -> Option<Self> {
        let token = id.map(OneTimeTokenId::from_uuid);
        Some(match name {
            "password_reset" => Self::PasswordReset(token?),
            "email_verification" => Self::EmailVerification(token?),
            "email_change" => Self::EmailChange(token?),
            "invitation" => Self::Invitation(token?),
            "sign_in_link" => Self::SignInLink(token?),
            "sign_in_code" => Self::SignInCode(ChallengeId::from_uuid(id?)),
            "password_changed" => Self::PasswordChanged,
            "email_changed" => Self::EmailChanged,
            "second_factor_added" => Self::SecondFactorAdded,
            "second_factor_removed" => Self::SecondFactorRemoved,
            "identity_linked" => Self::IdentityLinked,
            "identity_unlinked" => Self::IdentityUnlinked,
            "recovery_codes_replaced" => Self::RecoveryCodesReplaced,
            "passkey_added" => Self::PasskeyAdded,
            "passkey_removed" => Self::PasskeyRemoved,
            "deletion_scheduled" => Self::DeletionScheduled,
            "account_exists" => Self::AccountExists,
            _ => Self::Wanted(Wanted::parse(name)?),
        })
    }
}

/// Writes a mail to an address of the user's, to be sent after the commit. Nothing happens where no mail is sent at all.
pub(crate) async fn enqueue(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    (user, to): (&User, &EmailAddress),
    subject: MailSubject,
    expires_at: Timestamp,
) -> Result<()> {
    if !ctx.policy().sends_mail {
        return Ok(());
    }
    let mail = Mail {
        id: MailId::from_uuid(ctx.new_id()),
        subject,
        to: to.clone(),
        name: user.name.clone(),
        locale: user.locale.clone().or_else(|| ctx.origin().language.clone()),
        created_at: ctx.now(),
        expires_at,
    };
    put(ctx, tx, &mail).await
}

/// Notes what somebody asked for by an address, whoever has it, if anybody does.
pub(crate) async fn want(ctx: &Ctx, tx: &mut dyn WriteTx, to: &EmailAddress, wanted: Wanted) -> Result<()> {
    enqueue_to_nobody(ctx, tx, to, MailSubject::Wanted(wanted), ctx.now().plus_seconds(NEWS_KEPT_S)).await
}

/// Writes a mail to an address that may be nobody's. Whoever sends it looks who is to be called what, and whether there
/// is anybody.
pub(crate) async fn enqueue_to_nobody(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    to: &EmailAddress,
    subject: MailSubject,
    expires_at: Timestamp,
) -> Result<()> {
    if !ctx.policy().sends_mail {
        return Ok(());
    }
    let mail = Mail {
        id: MailId::from_uuid(ctx.new_id()),
        subject,
        to: to.clone(),
        name: DisplayName::from_stored(String::new()),
        locale: ctx.origin().language.clone(),
        created_at: ctx.now(),
        expires_at,
    };
    put(ctx, tx, &mail).await
}

async fn put(ctx: &Ctx, tx: &mut dyn WriteTx, mail: &Mail) -> Result<()> {
    tx.enqueue_mail_at(mail, due_at(ctx, mail.subject)).await?;
    if let Some(parent) = ctx.origin().trace {
        tx.insert_trace(mail.id.as_uuid(), parent, mail.created_at.plus_seconds(trace::KEPT_S)).await?;
    }
    Ok(())
}

/// From when a mail is sent. One whose work depends on whether an address has an account waits for a random time: done
/// at once, it would slow down the next request, and so tell who asked whether there is an account. Nothing announces
/// it either, so that it waits for the sender's next look at the outbox, whose moments no request decides.
fn due_at(ctx: &Ctx, subject: MailSubject) -> Timestamp {
    let (now, delay_ms) = (ctx.now(), ctx.policy().mail_request_delay_ms);
    if !subject.depends_on_account() || delay_ms == 0 {
        return now;
    }
    let mut chance = [0; 4];
    ctx.services().random.fill(&mut chance);
    let shortest = delay_ms / 5;
    now.plus_millis(shortest + u32::from_be_bytes(chance) % (delay_ms - shortest + 1))
}

/// Mails a notification to the address of the user, unless that has had enough: see [`budgets::admit_notification`].
pub(crate) async fn tell(ctx: &Ctx, tx: &mut dyn WriteTx, user: &User, news: MailSubject) -> Result<()> {
    if !budgets::admit_notification(ctx, tx, user, news.as_str()).await? {
        return Ok(());
    }
    let expires_at = ctx.now().plus_seconds(NEWS_KEPT_S);
    enqueue(ctx, tx, (user, &user.email), news, expires_at).await
}
