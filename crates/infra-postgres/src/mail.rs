//! The outbox in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::id::MailId;
use denizen_domain::mail::store::{MailReads, MailWrites};
use denizen_domain::mail::{DueMail, Mail, MailSubject};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::{DisplayName, EmailAddress, Locale};
use sqlx::{query, query_file, query_file_as, query_file_scalar};
use uuid::Uuid;

use crate::error::store_error;
use crate::tx::PostgresTx;

#[async_trait]
impl MailReads for PostgresTx {
    async fn is_mail_due(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let query = query_file_scalar!("queries/has_due_mail.sql", now.as_micros());
        query.fetch_one(self.connection().await?).await.map_err(store_error)
    }
}

#[async_trait]
impl MailWrites for PostgresTx {
    async fn enqueue_mail_at(&mut self, mail: &Mail, due_at: Timestamp) -> Result<(), StoreError> {
        let (is_due, due_at) = (due_at <= mail.created_at, due_at.as_micros());
        let (id, kind, subject_id) = (mail.id.as_uuid(), mail.subject.as_str(), mail.subject.id());
        let (recipient, name) = (mail.to.as_str(), mail.name.as_str());
        let locale = mail.locale.as_ref().map(Locale::as_str);
        let (created_at, expires_at) = (mail.created_at.as_micros(), mail.expires_at.as_micros());
        let query = query!(
            "INSERT INTO outbox (id, kind, subject_id, recipient, name, locale, created_at, expires_at, attempts, due_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9)",
            id,
            kind,
            subject_id,
            recipient,
            name,
            locale,
            created_at,
            expires_at,
            due_at
        );
        query.execute(self.connection().await?).await.map_err(store_error)?;
        if is_due {
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
        let query = query_file_as!(MailRow, "queries/take_due_mail.sql", now, leased_until, limit);
        let mut rows = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        // What a statement returns has no order; ids grow with time.
        rows.sort_unstable_by_key(|row| row.id);
        Ok(rows.into_iter().map(MailRow::due).collect())
    }

    async fn put_back_mail(&mut self, id: MailId, attempts: u32, due_at: Timestamp) -> Result<bool, StoreError> {
        let (id, attempts, due_at) = (id.as_uuid(), i64::from(attempts), due_at.as_micros());
        let query = query!("UPDATE outbox SET due_at = $3 WHERE id = $1 AND attempts = $2", id, attempts, due_at);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn hasten_mail(&mut self, now: Timestamp, latest: Timestamp) -> Result<u64, StoreError> {
        let query = query_file!("queries/hasten_mail.sql", now.as_micros(), latest.as_micros());
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }

    async fn remove_mail(&mut self, id: MailId) -> Result<bool, StoreError> {
        let id = id.as_uuid();
        let query = query!("DELETE FROM outbox WHERE id = $1", id);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }
}

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
