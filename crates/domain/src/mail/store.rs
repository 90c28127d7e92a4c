//! What mail needs of a store.

use async_trait::async_trait;

use super::Mail;
use crate::store::StoreError;

/// Keeping the outbox.
#[async_trait]
pub trait MailWrites {
    /// Adds a mail that is due at once.
    async fn enqueue_mail(&mut self, mail: &Mail) -> Result<(), StoreError>;
}
