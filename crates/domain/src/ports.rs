//! What a use case needs of the world, besides the [store](crate::store).

use async_trait::async_trait;

use crate::credentials::{Password, PasswordAttempt, PasswordHash};
use crate::error::Error;
use crate::time::Timestamp;
use crate::tokens::AccessClaims;
use crate::users::EmailAddress;

/// Where the present comes from.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// Where chance comes from; a cryptographic generator outside tests.
pub trait Random: Send + Sync {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// What became of checking a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not this password.
    Wrong,
    /// This password, kept as we keep it today.
    Right,
    /// This password, kept with other parameters than today's: hash it anew.
    RightButOutdated,
}

/// Why a password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The bounded queue is full, or its deadline passed.
    #[error("password hashing is overloaded")]
    Overloaded {
        /// When it is worth trying again, in seconds.
        retry_after_s: u32,
    },
    /// The hashing itself failed: a defect or an unreadable stored hash.
    #[error("hashing a password")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Hashes and checks passwords, a bounded number at once.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes with today's parameters.
    async fn hash(&self, password: &Password) -> Result<PasswordHash, HashError>;

    /// Checks a password against a stored hash.
    async fn verify(&self, attempt: &PasswordAttempt, stored: &PasswordHash) -> Result<Verdict, HashError>;

    /// Spends the time of a check for an account that does not exist, so that time does not tell.
    async fn verify_nobody(&self, attempt: &PasswordAttempt) -> Result<(), HashError>;

    /// Takes over a hash made elsewhere, if its encoding is known and its cost is bounded.
    /// The error says what is wrong with it, never what it contains.
    fn adopt(&self, encoded: &str) -> Result<PasswordHash, &'static str>;
}

/// Why an access token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("signing an access token")]
pub struct SignError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Signs access tokens (RFC 9068).
pub trait TokenSigner: Send + Sync {
    /// The compact form of a signed token with these claims.
    fn sign(&self, claims: &AccessClaims) -> Result<String, SignError>;
}

/// Keeps and proves bytes under the master key.
pub trait Vault: Send + Sync {
    /// Encrypts and authenticates bytes; `context` must be the same to open them.
    fn seal(&self, context: &[u8], plain: &[u8]) -> Vec<u8>;

    /// Opens what [`Vault::seal`] made; `None` when it was altered, or made under another key or context.
    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>>;

    /// A message authentication code (HMAC-SHA-256) bound to a purpose.
    fn mac(&self, purpose: &str, message: &[u8]) -> [u8; 32];
}

/// Bounds how often a password of one account is guessed wrong.
pub trait SignInThrottle: Send + Sync {
    /// Counts an attempt before it is made, so that the bound holds for many at once; refused with
    /// [`Error::TooManyRequests`] when the account's budget is spent.
    fn admit(&self, email: &EmailAddress) -> Result<(), Error>;

    /// Takes the count back: the attempt was right.
    fn forgive(&self, email: &EmailAddress);
}
