//! The revocation feed: what makes valid tokens invalid before they expire.
//!
//! Reading order: this file (the known revocations, and whether they are current) → `follow` (the connection) → `sse`,
//! `table`, `backoff`.

mod builder;
mod follow;
mod sse;
mod table;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

pub use builder::RevocationFeedBuilder;

use crate::claims::{Kind, Verified};
use crate::clock::Clock;
use crate::error::{InvalidToken, VerifyError};
use table::Table;

/// What to do while the known revocations may be incomplete: before the first snapshot, and after no message has arrived
/// for [`RevocationFeedBuilder::staleness_max`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenStale {
    /// Refuses every token with 503 until the feed is current again.
    #[default]
    FailClosed,
    /// Accepts tokens that match no known revocation.
    FailOpen,
}

/// The revocations of the issuer, followed in the background. Cheap to clone; the connection ends with the last clone.
///
/// A sign-out reaches the feed within a second. The feed first reads all revocations that can affect an unexpired token,
/// then follows; if the connection breaks, it reconnects with exponential backoff and continues after the last
/// revocation. It needs an API key of a service account, which needs no permission.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use denizen_client::{RevocationFeed, Verifier};
///
/// let issuer = "https://accounts.example.com";
/// let feed = RevocationFeed::builder(issuer).api_key(std::env::var("DENIZEN_API_KEY")?).start()?;
/// let verifier = Verifier::builder(issuer).audience("denizen").revocations(feed).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RevocationFeed(Arc<Handle>);

struct Handle {
    revocations: Arc<Revocations>,
    task: AbortHandle,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What verifiers and the connection share.
struct Revocations {
    clock: Arc<dyn Clock>,
    /// Sessions and API keys, each with the time of the revocation.
    credentials: Table,
    /// Accounts, each with the time from which new tokens are valid.
    subjects: Table,
    /// Until when, on the monotonic clock of the feed, the revocations were complete; `None` before the first snapshot.
    complete_at: watch::Sender<Option<Duration>>,
    staleness_max: Duration,
    when_stale: WhenStale,
    token_lifetime: Duration,
    entries_max: usize,
}

impl RevocationFeed {
    /// Starts to configure a feed from a server: its public URL, usually the issuer.
    pub fn builder(server_url: impl Into<String>) -> RevocationFeedBuilder {
        RevocationFeedBuilder::new(server_url.into())
    }

    /// Waits until all revocations up to now are known, for example at startup.
    pub async fn caught_up(&self) {
        let mut complete_at = self.0.revocations.complete_at.subscribe();
        // The sender lives as long as `self`.
        let _ = complete_at.wait_for(Option::is_some).await;
    }

    /// How old the last message of the feed is, up to which the revocations are complete; `None` before the first
    /// snapshot.
    #[must_use]
    pub fn staleness(&self) -> Option<Duration> {
        let complete_at = *self.0.revocations.complete_at.borrow();
        complete_at.map(|at| self.0.revocations.clock.monotonic().saturating_sub(at))
    }

    /// Whether the known revocations are complete up to [`RevocationFeedBuilder::staleness_max`] ago.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.staleness().is_some_and(|staleness| staleness <= self.0.revocations.staleness_max)
    }

    /// The number of known revocations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.revocations.len()
    }

    /// Whether no revocation is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn token_lifetime_s(&self) -> u64 {
        self.0.revocations.token_lifetime.as_secs()
    }

    /// Refuses a token that was revoked, or every token if it fails closed and is stale.
    pub(crate) fn check(&self, token: &Verified) -> Result<(), VerifyError> {
        let revocations = &self.0.revocations;
        if revocations.is_revoked(token) {
            return Err(InvalidToken::Revoked.into());
        }
        if revocations.when_stale == WhenStale::FailClosed && !self.is_current() {
            return Err(VerifyError::RevocationsUnavailable);
        }
        Ok(())
    }
}

impl fmt::Debug for RevocationFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationFeed")
            .field("len", &self.len())
            .field("staleness", &self.staleness())
            .finish_non_exhaustive()
    }
}

impl Revocations {
    fn len(&self) -> usize {
        self.credentials.len() + self.subjects.len()
    }

    fn is_revoked(&self, token: &Verified) -> bool {
        let credential = match token.kind {
            Kind::User { session_id, .. } => session_id,
            Kind::ServiceAccount { key_id } => key_id,
        };
        self.credentials.get(credential).is_some()
            || self.subjects.get(token.subject).is_some_and(|since_s| token.issued_at < since_s)
    }

    /// All messages up to now have been read.
    fn mark_complete(&self) {
        self.complete_at.send_replace(Some(self.clock.monotonic()));
    }

    /// Messages may be missing.
    fn mark_incomplete(&self) {
        self.complete_at.send_replace(None);
    }
}
