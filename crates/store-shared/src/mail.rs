//! The outbox.

use async_trait::async_trait;
use denizen_domain::id::MailId;
use denizen_domain::mail::store::{MailReads, MailWrites};
use denizen_domain::mail::{DueMail, Mail, MailSubject};
use denizen_domain::store::{Backlog, StoreError};
use denizen_domain::time::Timestamp;
use denizen_domain::users::{DisplayName, EmailAddress, Locale};
use uuid::Uuid;

use crate::shared::backlog::BacklogRow;
use crate::sql::{execute, fetch_all, fetch_one, fetch_scalar, row};
use crate::tx::Tx;

#[async_trait]
impl MailReads for Tx {
    async fn is_mail_due(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        fetch_scalar!(self, bool, "queries/has_due_mail.sql", now.as_micros())
    }

    async fn mail_backlog(&mut self, now: Timestamp) -> Result<Backlog, StoreError> {
        let (now, limit) = (now.as_micros(), i64::from(Backlog::COUNT_MAX));
        Ok(fetch_one!(self, BacklogRow, "queries/mail_backlog.sql", now, limit)?.backlog())
    }
}

#[async_trait]
impl MailWrites for Tx {
    async fn enqueue_mail_at(&mut self, mail: &Mail, due_at: Timestamp) -> Result<(), StoreError> {
        execute!(
            self,
            "../store-shared/queries/insert_mail.sql",
            mail.id.as_uuid(),
            mail.subject.as_str(),
            mail.subject.id(),
            mail.to.as_str(),
            mail.name.as_str(),
            mail.locale.as_ref().map(Locale::as_str),
            mail.created_at.as_micros(),
            mail.expires_at.as_micros(),
            due_at.as_micros()
        )?;
        if due_at <= mail.created_at {
            self.mail_enqueued();
        }
        Ok(())
    }

    async fn take_due_mail(
        &mut self,
        now: Timestamp,
        leased_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueMail>, StoreError> {
        let (now, leased_until, limit) = (now.as_micros(), leased_until.as_micros(), i64::from(limit));
        let mut rows = fetch_all!(self, MailRow, "queries/take_due_mail.sql", now, leased_until, limit)?;
        // What a statement returns has no order; ids grow with time.
        rows.sort_unstable_by_key(|row| row.id);
        Ok(rows.into_iter().map(MailRow::due).collect())
    }

    async fn put_back_mail(&mut self, id: MailId, attempts: u32, due_at: Timestamp) -> Result<bool, StoreError> {
        let (id, attempts, due_at) = (id.as_uuid(), i64::from(attempts), due_at.as_micros());
        Ok(execute!(self, "../store-shared/queries/put_back_mail.sql", id, attempts, due_at)? == 1)
    }

    async fn hasten_mail(&mut self, now: Timestamp, latest: Timestamp) -> Result<u64, StoreError> {
        execute!(self, "queries/hasten_mail.sql", now.as_micros(), latest.as_micros())
    }

    async fn remove_mail(&mut self, id: MailId) -> Result<bool, StoreError> {
        Ok(execute!(self, "../store-shared/queries/remove_mail.sql", id.as_uuid())? == 1)
    }
}

row! {
    /// A mail as it is kept.
    struct MailRow {
        id: Uuid,
        kind: String,
        subject_id: Option<Uuid>,
        recipient: String,
        name: String,
        locale: Option<String>,
        created_at: i64,
        expires_at: i64,
        attempts: i64,
    }
}

impl MailRow {
    fn due(self) -> DueMail {
        let id = MailId::from_uuid(self.id);
        let expires_at = Timestamp::from_micros(self.expires_at);
        let attempts = u32::try_from(self.attempts).unwrap_or(u32::MAX);
        let mail = MailSubject::from_stored(&self.kind, self.subject_id).map(|subject| Mail {
            id,
            subject,
            to: EmailAddress::from_stored(self.recipient),
            name: DisplayName::from_stored(self.name),
            locale: self.locale.map(Locale::from_stored),
            created_at: Timestamp::from_micros(self.created_at),
            expires_at,
        });
        DueMail { id, attempts, expires_at, mail }
    }
}
