//! One-time tokens in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::id::{OneTimeTokenId, SessionId, UserId};
use denizen_domain::one_time::store::{OneTimeTokenReads, OneTimeTokenWrites};
use denizen_domain::one_time::{OneTimeToken, Purpose};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::EmailAddress;
use sqlx::{query, query_as, query_file};
use uuid::Uuid;

use crate::error::store_error;
use crate::tx::PostgresTx;

#[async_trait]
impl OneTimeTokenReads for PostgresTx {
    async fn find_one_time_token(
        &mut self,
        id: OneTimeTokenId,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, StoreError> {
        let (token_id, name, now) = (id.as_uuid(), purpose.as_str(), now.as_micros());
        let query = query_as!(
            TokenRow,
            r#"SELECT user_id, email, session_id, created_at, expires_at
            FROM one_time_tokens
            WHERE id = $1 AND purpose = $2 AND expires_at > $3"#,
            token_id,
            name,
            now
        );
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        Ok(row.map(|row| row.token(id, purpose)))
    }
}

#[async_trait]
impl OneTimeTokenWrites for PostgresTx {
    async fn put_one_time_token(&mut self, token: &OneTimeToken) -> Result<(), StoreError> {
        let (id, user, purpose) = (token.id.as_uuid(), token.user_id.as_uuid(), token.purpose.as_str());
        let (email, session) = (token.email.as_str(), token.session_id.map(SessionId::as_uuid));
        let (created_at, expires_at) = (token.created_at.as_micros(), token.expires_at.as_micros());
        let query =
            query_file!("queries/put_one_time_token.sql", id, user, purpose, email, session, created_at, expires_at);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn take_one_time_token(
        &mut self,
        id: OneTimeTokenId,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, StoreError> {
        let (token_id, name, now) = (id.as_uuid(), purpose.as_str(), now.as_micros());
        let query = query_as!(
            TokenRow,
            r#"DELETE FROM one_time_tokens WHERE id = $1 AND purpose = $2 AND expires_at > $3
            RETURNING user_id, email, session_id, created_at, expires_at"#,
            token_id,
            name,
            now
        );
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        Ok(row.map(|row| row.token(id, purpose)))
    }

    async fn remove_one_time_tokens(&mut self, user: UserId, purposes: &[Purpose]) -> Result<(), StoreError> {
        let user = user.as_uuid();
        for purpose in purposes {
            let purpose = purpose.as_str();
            let query = query!("DELETE FROM one_time_tokens WHERE user_id = $1 AND purpose = $2", user, purpose);
            query.execute(self.connection().await?).await.map_err(store_error)?;
        }
        Ok(())
    }

    async fn remove_email_change_by(&mut self, user: UserId, session: SessionId) -> Result<(), StoreError> {
        let (user, session, purpose) = (user.as_uuid(), session.as_uuid(), Purpose::EmailChange.as_str());
        let query = query_file!("queries/remove_email_change_by.sql", user, purpose, session);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn purge_one_time_tokens(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let (now, limit) = (now.as_micros(), i64::from(limit));
        let query = query_file!("queries/purge_one_time_tokens.sql", now, limit);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }
}

/// What a token's row says besides its key.
struct TokenRow {
    user_id: Uuid,
    email: String,
    session_id: Option<Uuid>,
    created_at: i64,
    expires_at: i64,
}

impl TokenRow {
    fn token(self, id: OneTimeTokenId, purpose: Purpose) -> OneTimeToken {
        OneTimeToken {
            id,
            user_id: UserId::from_uuid(self.user_id),
            purpose,
            email: EmailAddress::from_stored(self.email),
            session_id: self.session_id.map(SessionId::from_uuid),
            created_at: Timestamp::from_micros(self.created_at),
            expires_at: Timestamp::from_micros(self.expires_at),
        }
    }
}
