//! What the link for the first administrator needs of a store.

use async_trait::async_trait;

use super::StoredLink;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Reading the link.
#[async_trait]
pub trait SetupReads {
    /// Whether this is the token of the current link, which has not expired. To look before costly work; only taking the
    /// link decides.
    async fn has_setup_link(&mut self, token_mac: &[u8; 32], now: Timestamp) -> Result<bool, StoreError>;
}

/// Writing the link.
#[async_trait]
pub trait SetupWrites {
    /// Stores a link in place of the previous one. Returns `false` and changes nothing if the existing link was created after
    /// `unless_after`. A link that is dated over a minute in the future is replaced: the clock was set back.
    async fn put_setup_link(&mut self, link: &StoredLink, unless_after: Timestamp) -> Result<bool, StoreError>;

    /// Removes the link with this token, by one statement: of many at once, one gets `true`. `false` if there is none, or
    /// it has expired.
    async fn take_setup_link(&mut self, token_mac: &[u8; 32], now: Timestamp) -> Result<bool, StoreError>;
}
