//! What a use case needs of the world, besides the [store](crate::store).

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::access::{Credential, Origin, Subject};
use crate::credentials::{Password, PasswordAttempt, PasswordHash};
use crate::error::{Error, RuleBroken};
use crate::keys::{Algorithm, KeyMaterial, StoredKey};
use crate::mail::Mail;
use crate::one_time::Purpose;
pub use crate::passkeys::port::{Assertion, Ceremony, CeremonyError, RegisteringUser, WebAuthn};
use crate::time::Timestamp;
use crate::tokens::{AccessClaims, VerifiedToken};
use crate::users::{DisplayName, Locale, TypedEmail};

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

/// What an account does that leaves rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountActivity {
    /// A change by a user who acts on what is theirs.
    Write,
    /// A change by a caller with a write permission.
    PrivilegedWrite,
    /// A session, or a challenge, is opened with the right password.
    SignIn,
    /// The own password is changed. Counted by itself: a flood of other changes does not keep the owner from it.
    PasswordChange,
}

/// Limits how often an account does what leaves rows.
pub trait AccountThrottle: Send + Sync {
    /// Counts one.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] when the account has done enough of it.
    fn admit(&self, account: Subject, activity: AccountActivity, now: Timestamp) -> Result<(), Error>;
}

/// Why a hash from elsewhere is not accepted: the rule that it breaks, never what it contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashRefusal {
    /// It has no known form.
    Unsupported(&'static str),
    /// Verifying it would take too much time or memory.
    TooCostly(&'static str),
}

/// How much of the capacity for password hashes is used, on this node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HashLoad {
    /// Hashes that are being computed.
    pub running: u32,
    /// Hashes that wait.
    pub queued: u32,
    /// Hashes that were computed, since the start.
    pub computed: u64,
    /// The time that they took, since the start.
    pub computing: Duration,
    /// Hashes that were refused because there was no capacity, since the start.
    pub refused: u64,
}

/// Hashes and checks passwords, a bounded number at once, in turns between those who ask: `origin` is where they are.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Refuses at once whom hashing has no room for, before anything else is done for them. Whoever passes may still
    /// find it full when they come to hash.
    fn check_room(&self, origin: &Origin) -> Result<(), HashError>;

    /// How much capacity is used.
    fn load(&self) -> HashLoad;

    /// Hashes with today's parameters.
    async fn hash(&self, password: &Password, origin: &Origin) -> Result<PasswordHash, HashError>;

    /// Checks a password against a stored hash.
    async fn verify(
        &self,
        attempt: &PasswordAttempt,
        stored: &PasswordHash,
        origin: &Origin,
    ) -> Result<Verdict, HashError>;

    /// Spends the time of a check for an account that does not exist, so that time does not tell.
    async fn verify_nobody(&self, attempt: &PasswordAttempt, origin: &Origin) -> Result<(), HashError>;

    /// Takes over a hash made elsewhere, if its encoding is known and its cost is bounded; `None` if the text says that
    /// the user has no password. The error says what is wrong with it, never what it contains.
    fn adopt(&self, encoded: &str) -> Result<Option<PasswordHash>, HashRefusal>;
}

/// Why an access token could not be signed, or the key for it not be made or opened.
#[derive(Debug, thiserror::Error)]
#[error("signing an access token")]
pub struct SignError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Signs and verifies access tokens (RFC 9068).
pub trait AccessTokens: Send + Sync {
    /// The compact form of a signed token with these claims.
    fn sign(&self, claims: &AccessClaims) -> Result<String, SignError>;

    /// What the token says, when form, algorithm, signature, issuer, audience, type and time are good
    /// (RFC 8725, RFC 9068 §4). Whether its subject still exists is another question.
    fn verify(&self, token: &str, now: Timestamp) -> Option<VerifiedToken>;
}

/// Makes and takes over the keys that sign access tokens.
#[async_trait]
pub trait SigningKeys: Send + Sync {
    /// Makes a key pair; its private half is sealed.
    async fn make(&self, algorithm: Algorithm) -> Result<KeyMaterial, SignError>;

    /// Signs and verifies with these keys from now on, and with no others. One that is marked as withdrawn is dead for
    /// good, whatever a later list says.
    fn adopt(&self, keys: &[StoredKey]) -> Result<(), SignError>;
}

/// Notes when credentials are used, in bounded memory; [`crate::usage::record`] brings it to the store.
pub trait Usage: Send + Sync {
    /// A credential is used.
    fn note(&self, credential: Credential, at: Timestamp);

    /// Takes what was noted since the last time, each credential once.
    fn take(&self) -> Vec<(Credential, Timestamp)>;
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

/// What the product's old system says of a user whose password is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookedUser {
    /// Display name.
    pub name: Option<DisplayName>,
    /// Whether the old system had verified the address.
    pub email_verified: bool,
    /// Preferred language.
    pub locale: Option<Locale>,
}

/// Asks the product's old system, one that cannot export its hashes, whether a password is right.
#[async_trait]
pub trait SignInHook: Send + Sync {
    /// Who it is; `None` when the old system does not know them, the password is wrong, or there is no answer in time,
    /// which is told in the log alone.
    async fn ask(&self, email: &TypedEmail, attempt: &PasswordAttempt) -> Option<HookedUser>;
}

/// A request to a webhook.
#[derive(Debug)]
pub struct WebhookMessage<'a> {
    /// Where to.
    pub url: &'a str,
    /// Names what is told: the same at each attempt.
    pub id: &'a str,
    /// When it is sent.
    pub sent_at: Timestamp,
    /// What is told: JSON.
    pub body: Vec<u8>,
    /// What it is signed with: a signature by each.
    pub secrets: &'a [SecretString],
}

/// What came of a request to a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookAnswer {
    /// The HTTP status, if there was a response.
    pub status: Option<u16>,
    /// How long the status took, in milliseconds; without one, how long was waited for it.
    pub latency_ms: u32,
    /// The beginning of the answer: at most [`crate::webhooks::ANSWER_BYTES_MAX`] bytes, and no NUL.
    pub answer: String,
    /// Why it is no success; nothing when it is one.
    pub error: Option<&'static str>,
    /// How long the other side wants to be left alone, in seconds.
    pub retry_after_s: Option<u32>,
}

impl WebhookAnswer {
    /// There is none.
    #[must_use]
    pub const fn failed(error: &'static str) -> Self {
        Self { status: None, latency_ms: 0, answer: String::new(), error: Some(error), retry_after_s: None }
    }
}

/// Sends requests to webhooks (Standard Webhooks).
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// The host of an address, if requests may go there as far as the address alone tells.
    fn host_of(&self, url: &str) -> Result<String, RuleBroken>;

    /// Sends one request, within [`crate::webhooks::Patience::timeout_s`].
    async fn send(&self, message: WebhookMessage<'_>) -> WebhookAnswer;
}

/// A mail with what it carries, ready to be put into words and sent.
#[derive(Debug)]
pub struct Letter<'a> {
    /// What to say, and to whom.
    pub mail: &'a Mail,
    /// What it carries to open something.
    pub opening: Opening,
    /// When it is sent.
    pub sent_at: Timestamp,
}

/// What a mail carries to open something.
#[derive(Debug)]
pub enum Opening {
    /// It is news, and opens nothing.
    Nothing,
    /// The token of a link, and what it is good for.
    Link(Purpose, SecretString),
    /// A code to type.
    Code(SecretString),
}

/// Why a mail was not sent. Neither error tells an address, a link or a code.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It may go better later.
    #[error("the mail cannot be sent at the moment")]
    Temporary(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It will never be taken.
    #[error("the mail was rejected")]
    Permanent(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Puts mail into words and sends it.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends one mail, within less than [`crate::mail::LEASE_S`]. After `Ok` somebody else has taken it over.
    async fn send(&self, letter: &Letter<'_>) -> Result<(), MailError>;

    /// Nothing is due: connections that were kept for the next mail may go.
    async fn rest(&self);

    /// Whether mail can be written in this language.
    fn supports(&self, locale: &Locale) -> bool;
}
