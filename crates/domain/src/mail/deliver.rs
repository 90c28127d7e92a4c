//! Sending what the outbox holds.
//!
//! A mail is taken for a while, sent outside any transaction, then removed. Whoever dies in between leaves it to be
//! found again, so a mail is sent at least once, and once when nothing goes wrong.

use std::sync::Arc;

use super::grant::{addressed, grant};
use super::{DueMail, MailSubject};
use crate::challenges;
use crate::ctx::Services;
use crate::error::Result;
use crate::one_time::Purpose;
use crate::ports::{Letter, MailError, Opening, Random};
use crate::time::CLOCK_SKEW_S;

/// How long a mail is nobody else's while it is being sent, in seconds. Sending it must take less.
pub const LEASE_S: u32 = 120;
/// How long the second attempt waits at most, in seconds; each further one twice as long, up to the longest.
const PAUSE_S_FIRST: u32 = 5;
const PAUSE_S_MAX: u32 = 60 * 60;

/// What became of a mail.
#[derive(Debug)]
pub enum Delivery {
    /// It was handed over.
    Sent,
    /// It was a wish, which was looked into; or there is nobody to have it.
    Settled,
    /// It could not be sent now and is tried again.
    PutBack(MailError),
    /// It can never be sent, and is dropped.
    Refused(MailError),
    /// It could not be sent while it was worth it, and is dropped.
    Expired,
    /// Another release wrote it, and this one leaves it to that.
    Unreadable,
}

/// Takes at most so many mails that are due. When nothing is, this is one look at an index.
pub async fn take(services: &Services, limit: u32) -> Result<Vec<DueMail>> {
    let now = services.clock.now();
    if !services.store.read().await?.is_mail_due(now).await? {
        return Ok(Vec::new());
    }
    let mut tx = services.store.write().await?;
    let taken = tx.take_due_mail(now, now.plus_seconds(LEASE_S), limit).await?;
    tx.commit().await?;
    Ok(taken)
}

/// Sends a mail that was taken, and settles what becomes of it.
pub async fn deliver(services: &Arc<Services>, due: &DueMail) -> Result<Delivery> {
    let now = services.clock.now();
    if due.expires_at <= now {
        remove(services, due).await?;
        return Ok(Delivery::Expired);
    }
    let Some(mail) = &due.mail else {
        return Ok(if put_back(services, due).await? { Delivery::Unreadable } else { Delivery::Expired });
    };
    if let MailSubject::Wanted(wanted) = mail.subject {
        grant(services, due, mail, wanted).await?;
        return Ok(Delivery::Settled);
    }
    let Some(mail) = addressed(services, mail).await? else {
        remove(services, due).await?;
        return Ok(Delivery::Settled);
    };
    let mail = &mail;
    let letter = Letter { mail, opening: opening_of(services, mail.subject), sent_at: now };
    match services.mailer.send(&letter).await {
        Ok(()) => {
            remove(services, due).await?;
            Ok(Delivery::Sent)
        }
        Err(error @ MailError::Permanent(_)) => {
            remove(services, due).await?;
            Ok(Delivery::Refused(error))
        }
        Err(error @ MailError::Temporary(_)) => {
            Ok(if put_back(services, due).await? { Delivery::PutBack(error) } else { Delivery::Expired })
        }
    }
}

/// What the mail carries to open something, derived at the last moment.
fn opening_of(services: &Services, subject: MailSubject) -> Opening {
    let vault = services.vault.as_ref();
    let link = |purpose: Purpose, id| Opening::Link(purpose, purpose.token(vault, id));
    match subject {
        MailSubject::PasswordReset(id) => link(Purpose::PasswordReset, id),
        MailSubject::EmailVerification(id) => link(Purpose::EmailVerification, id),
        MailSubject::EmailChange(id) => link(Purpose::EmailChange, id),
        MailSubject::Invitation(id) => link(Purpose::Invitation, id),
        MailSubject::SignInLink(id) => link(Purpose::SignIn, id),
        MailSubject::SignInCode(id) => Opening::Code(challenges::code_of(vault, id)),
        MailSubject::PasswordChanged
        | MailSubject::EmailChanged
        | MailSubject::SecondFactorAdded
        | MailSubject::SecondFactorRemoved
        | MailSubject::IdentityLinked
        | MailSubject::IdentityUnlinked
        | MailSubject::RecoveryCodesReplaced
        | MailSubject::PasskeyAdded
        | MailSubject::PasskeyRemoved
        | MailSubject::DeletionScheduled
        | MailSubject::AccountExists
        | MailSubject::Wanted(_) => Opening::Nothing,
    }
}

/// Makes mail due that would wait longer than any pause or lease lasts, because the clock was set back since.
pub async fn hasten(services: &Services) -> Result<()> {
    let now = services.clock.now();
    let mut tx = services.store.write().await?;
    tx.hasten_mail(now, now.plus_seconds(PAUSE_S_MAX.max(LEASE_S) + CLOCK_SKEW_S)).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes it due later; removes it, and says `false`, when that would be too late.
async fn put_back(services: &Services, due: &DueMail) -> Result<bool> {
    let pause_ms = pause_ms(services.random.as_ref(), due.attempts);
    let due_at = services.clock.now().plus_millis(pause_ms);
    let is_in_time = due_at < due.expires_at;
    let mut tx = services.store.write().await?;
    if is_in_time {
        tx.put_back_mail(due.id, due.attempts, due_at).await?;
    } else {
        tx.remove_mail(due.id).await?;
    }
    tx.commit().await?;
    Ok(is_in_time)
}

async fn remove(services: &Services, due: &DueMail) -> Result<()> {
    let mut tx = services.store.write().await?;
    tx.remove_mail(due.id).await?;
    tx.commit().await?;
    Ok(())
}

/// How long to wait after so many attempts, in milliseconds: twice as long each time, and a random part of the second
/// half of it less, so that what failed together does not come back together.
fn pause_ms(random: &dyn Random, attempts: u32) -> u32 {
    let doublings = attempts.saturating_sub(1).min(16);
    let longest = (PAUSE_S_FIRST << doublings).min(PAUSE_S_MAX) * 1_000;
    let mut chance = [0; 4];
    random.fill(&mut chance);
    longest - u32::from_be_bytes(chance) % (longest / 2)
}

#[cfg(test)]
mod tests {
    use super::pause_ms;
    use crate::ports::Random;

    struct Fixed(u8);

    impl Random for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_vary() {
        for (attempts, longest_s) in [(0, 5), (1, 5), (2, 10), (3, 20), (4, 40), (11, 3_600), (u32::MAX, 3_600)] {
            assert_eq!(pause_ms(&Fixed(0), attempts), longest_s * 1_000, "{attempts}");
            for chance in 1..=u8::MAX {
                let pause = pause_ms(&Fixed(chance), attempts);
                assert!((longest_s * 500..=longest_s * 1_000).contains(&pause), "{attempts}: {pause}");
            }
        }
    }
}
