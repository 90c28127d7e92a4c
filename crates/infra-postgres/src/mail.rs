//! The outbox in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::mail::Mail;
use denizen_domain::mail::store::MailWrites;
use denizen_domain::store::StoreError;
use denizen_domain::users::Locale;
use sqlx::query;

use crate::error::store_error;
use crate::tx::PostgresTx;

#[async_trait]
impl MailWrites for PostgresTx {
    async fn enqueue_mail(&mut self, mail: &Mail) -> Result<(), StoreError> {
        let (id, kind, subject_id) = (mail.id.as_uuid(), mail.subject.as_str(), mail.subject.id());
        let (recipient, name) = (mail.to.as_str(), mail.name.as_str());
        let locale = mail.locale.as_ref().map(Locale::as_str);
        let (created_at, expires_at) = (mail.created_at.as_micros(), mail.expires_at.as_micros());
        let query = query!(
            "INSERT INTO outbox (id, kind, subject_id, recipient, name, locale, created_at, expires_at, attempts, due_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $7)",
            id,
            kind,
            subject_id,
            recipient,
            name,
            locale,
            created_at,
            expires_at
        );
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }
}
