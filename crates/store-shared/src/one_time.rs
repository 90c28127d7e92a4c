//! One-time tokens.

use async_trait::async_trait;
use denizen_domain::id::{OneTimeTokenId, SessionId, UserId};
use denizen_domain::one_time::store::{OneTimeTokenReads, OneTimeTokenWrites};
use denizen_domain::one_time::{OneTimeToken, Purpose};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::EmailAddress;
use uuid::Uuid;

use crate::codec::text_list;
use crate::sql::{execute, execute_bulk, fetch_optional, fetch_scalar, row};
use crate::tx::Tx;

#[async_trait]
impl OneTimeTokenReads for Tx {
    async fn find_one_time_token(
        &mut self,
        id: OneTimeTokenId,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, StoreError> {
        let row = fetch_optional!(
            self,
            TokenRow,
            "../store-shared/queries/find_one_time_token.sql",
            id.as_uuid(),
            purpose.as_str(),
            now.as_micros()
        )?;
        Ok(row.map(|row| row.token(id, purpose)))
    }

    async fn has_one_time_token(&mut self, user: UserId, purpose: Purpose, now: Timestamp) -> Result<bool, StoreError> {
        let (user, purpose, now) = (user.as_uuid(), purpose.as_str(), now.as_micros());
        fetch_scalar!(self, bool, "../store-shared/queries/has_one_time_token.sql", user, purpose, now)
    }
}

#[async_trait]
impl OneTimeTokenWrites for Tx {
    async fn put_one_time_token(&mut self, token: &OneTimeToken) -> Result<(), StoreError> {
        execute!(
            self,
            "../store-shared/queries/put_one_time_token.sql",
            token.id.as_uuid(),
            token.user_id.as_uuid(),
            token.purpose.as_str(),
            token.email.as_str(),
            token.session_id.map(SessionId::as_uuid),
            token.created_at.as_micros(),
            token.expires_at.as_micros()
        )
        .map(drop)
    }

    async fn take_one_time_token(
        &mut self,
        id: OneTimeTokenId,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, StoreError> {
        let row = fetch_optional!(
            self,
            TokenRow,
            "../store-shared/queries/take_one_time_token.sql",
            id.as_uuid(),
            purpose.as_str(),
            now.as_micros()
        )?;
        Ok(row.map(|row| row.token(id, purpose)))
    }

    async fn remove_one_time_tokens(&mut self, user: UserId, purposes: &[Purpose]) -> Result<(), StoreError> {
        if purposes.is_empty() {
            return Ok(());
        }
        let purposes: Vec<String> = purposes.iter().map(|purpose| purpose.as_str().to_owned()).collect();
        let purposes = text_list(&purposes)?;
        execute!(self, "queries/remove_one_time_tokens.sql", user.as_uuid(), purposes).map(drop)
    }

    async fn remove_email_change_by(&mut self, user: UserId, session: SessionId) -> Result<(), StoreError> {
        let (user, session, purpose) = (user.as_uuid(), session.as_uuid(), Purpose::EmailChange.as_str());
        execute!(self, "../store-shared/queries/remove_email_change_by.sql", user, purpose, session).map(drop)
    }

    async fn purge_one_time_tokens(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        execute_bulk!(self, "queries/purge_one_time_tokens.sql", now.as_micros(), i64::from(limit))
    }
}

row! {
    /// What a token's row says besides its key.
    struct TokenRow {
        user_id: Uuid,
        email: String,
        session_id: Option<Uuid>,
        created_at: i64,
        expires_at: i64,
    }
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
