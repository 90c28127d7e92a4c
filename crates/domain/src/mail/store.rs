//! What mail needs of a store.

use async_trait::async_trait;

use super::{DueMail, Mail};
use crate::id::MailId;
use crate::store::{Backlog, StoreError};
use crate::time::Timestamp;

/// Looking into the outbox.
#[async_trait]
pub trait MailReads {
    /// Whether a mail is due: cheap, because it is asked every second.
    async fn is_mail_due(&mut self, now: Timestamp) -> Result<bool, StoreError>;

    /// The mails that are due.
    async fn mail_backlog(&mut self, now: Timestamp) -> Result<Backlog, StoreError>;
}

/// Keeping the outbox.
#[async_trait]
pub trait MailWrites {
    /// Adds a mail that is due at once.
    async fn enqueue_mail(&mut self, mail: &Mail) -> Result<(), StoreError> {
        self.enqueue_mail_at(mail, mail.created_at).await
    }

    /// Adds a mail that is due at a moment. One that is due when it is written wakes what waits for
    /// [`mail_enqueued`](crate::store::Store::mail_enqueued) with the commit; one that is due later does not, and is found
    /// when the outbox is looked into.
    async fn enqueue_mail_at(&mut self, mail: &Mail, due_at: Timestamp) -> Result<(), StoreError>;

    /// Takes at most so many mails that are due, those that have been due longest, and counts an attempt for each. By
    /// one statement: a mail that is taken is not due for others before `leased_until`, so that it is found again when
    /// whoever took it is gone.
    async fn take_due_mail(
        &mut self,
        now: Timestamp,
        leased_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueMail>, StoreError>;

    /// Makes a mail due at another moment, if nobody took it since `attempts` were counted; `false` otherwise.
    async fn put_back_mail(&mut self, id: MailId, attempts: u32, due_at: Timestamp) -> Result<bool, StoreError>;

    /// Makes every mail that is due after `latest` due now, and says how many: no mail is put off so long, so the clock was
    /// set back since.
    async fn hasten_mail(&mut self, now: Timestamp, latest: Timestamp) -> Result<u64, StoreError>;

    /// Removes a mail; `false` when it is gone already.
    async fn remove_mail(&mut self, id: MailId) -> Result<bool, StoreError>;
}
