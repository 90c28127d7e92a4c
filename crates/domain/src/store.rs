//! The port of the store: units of work. What you hold decides what you can reach.

use async_trait::async_trait;

use crate::credentials::store::{PasswordReads, PasswordWrites};
use crate::idempotency::store::IdempotencyWrites;
use crate::keys::store::{SigningKeyReads, SigningKeyWrites};
use crate::sessions::store::{SessionReads, SessionWrites};
use crate::users::store::{UserReads, UserWrites};

/// Why the store did not do its part.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is not there, is out of connections or time, or cannot write. It may recover by itself.
    #[error("the database is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database answered something that cannot be: a defect or a damaged file.
    #[error("the database answered unexpectedly")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A database that keeps accounts.
#[async_trait]
pub trait Store: Send + Sync {
    /// A handle for single reads: each query stands alone and is one round trip.
    async fn read(&self) -> Result<Box<dyn ReadTx>, StoreError>;

    /// A handle for several reads that must agree with each other.
    async fn snapshot(&self) -> Result<Box<dyn ReadTx>, StoreError>;

    /// A write transaction. Dropped without [`WriteTx::commit`], it leaves nothing behind.
    async fn write(&self) -> Result<Box<dyn WriteTx>, StoreError>;

    /// Whether the database answers: one round trip.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Gives every connection back and waits for those in use.
    async fn close(&self);
}

/// Everything that can be read.
pub trait ReadTx: UserReads + PasswordReads + SessionReads + SigningKeyReads + Send {}

/// Everything that can be written, and read within the same transaction.
#[async_trait]
pub trait WriteTx: ReadTx + UserWrites + PasswordWrites + SessionWrites + SigningKeyWrites + IdempotencyWrites {
    /// Makes every change of this transaction durable, or none. After `Ok` it is on disk.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
