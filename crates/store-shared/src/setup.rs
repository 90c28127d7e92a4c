//! The link for the first administrator.

use async_trait::async_trait;
use denizen_domain::setup::StoredLink;
use denizen_domain::setup::store::{SetupReads, SetupWrites};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;

use crate::sql::{execute, fetch_scalar};
use crate::tx::Tx;

#[async_trait]
impl SetupReads for Tx {
    async fn has_setup_link(&mut self, token_mac: &[u8; 32], now: Timestamp) -> Result<bool, StoreError> {
        let (token_mac, now) = (token_mac.as_slice(), now.as_micros());
        fetch_scalar!(self, bool, "../store-shared/queries/has_setup_link.sql", token_mac, now)
    }
}

#[async_trait]
impl SetupWrites for Tx {
    async fn put_setup_link(&mut self, link: &StoredLink, unless_after: Timestamp) -> Result<bool, StoreError> {
        let (created_at, expires_at) = (link.created_at.as_micros(), link.expires_at.as_micros());
        let (token_mac, unless_after) = (link.token_mac.as_slice(), unless_after.as_micros());
        let query = execute!(
            self,
            "../store-shared/queries/put_setup_link.sql",
            token_mac,
            created_at,
            expires_at,
            unless_after
        );
        Ok(query? == 1)
    }

    async fn take_setup_link(&mut self, token_mac: &[u8; 32], now: Timestamp) -> Result<bool, StoreError> {
        let (token_mac, now) = (token_mac.as_slice(), now.as_micros());
        Ok(execute!(self, "../store-shared/queries/take_setup_link.sql", token_mac, now)? == 1)
    }
}
