//! Where the keys come from: discovery, fetches, and how often there may be one.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::keys::{self, JwksError, KeySet};
use crate::transport::{FetchError, Transport, fetch};
use crate::url::{self, UrlError};

/// Where the JWK Set is.
#[derive(Debug)]
pub(super) enum Location {
    /// At this URL.
    Jwks(String),
    /// At the `jwks_uri` of the issuer's metadata (OpenID Connect Discovery 1.0 §4).
    Discovery { url: String, issuer: String, allows_http: bool },
}

/// How old keys may be, and how often they are fetched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Keys of this age are refreshed in the background. At twice this age, verification waits for the refresh.
    pub(super) refresh_after: Duration,
    /// Keys of this age are no longer used.
    pub(super) max_age: Duration,
    /// The time between two fetches for unknown keys.
    pub(super) unknown_key_interval: Duration,
    /// The time limit of a fetch.
    pub(super) timeout: Duration,
}

/// The time between two fetches in any case: before a failed one is repeated, and so that callers who found the keys
/// outdated at the same time cause one.
const PAUSE: Duration = Duration::from_secs(1);

/// Why keys could not be fetched.
#[derive(Debug, Clone, thiserror::Error)]
#[error("fetching the signing keys of the issuer failed")]
pub struct RefreshError(#[source] Arc<Cause>);

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the metadata is not valid JSON")]
    Metadata(#[source] serde_json::Error),
    #[error("the metadata is of another issuer, {0:?}")]
    OtherIssuer(String),
    #[error("the metadata names an unusable jwks_uri")]
    JwksUri(#[source] UrlError),
    #[error(transparent)]
    Jwks(#[from] JwksError),
    #[error("the task ended early")]
    Aborted,
}

/// The result of a fetch; `None` while it is running.
type PendingFetch = watch::Receiver<Option<Result<(), RefreshError>>>;

/// The keys of the issuer. At most one fetch runs at a time, in a task of its own, so that a caller who stops waiting
/// does not stop it.
pub(super) struct KeySource {
    pub(super) clock: Arc<dyn Clock>,
    transport: Arc<dyn Transport>,
    location: Location,
    pub(super) schedule: Schedule,
    cache_size: usize,
    keys: RwLock<Option<Arc<KeySet>>>,
    fetches: Mutex<Fetches>,
}

#[derive(Default)]
struct Fetches {
    running: Option<PendingFetch>,
    /// When the last one ended, and how.
    last: Option<(Duration, Result<(), RefreshError>)>,
}

/// What a fetch is for, which decides how soon it may follow the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The keys are outdated, or there are none.
    Age,
    /// A token names a key that is not among them.
    UnknownKey,
}

impl KeySource {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        transport: Arc<dyn Transport>,
        location: Location,
        schedule: Schedule,
        cache_size: usize,
    ) -> Self {
        let (keys, fetches) = (RwLock::default(), Mutex::default());
        Self { clock, transport, location, schedule, cache_size, keys, fetches }
    }

    /// The keys, and their age; `None` if there are none that may still be used.
    pub(super) fn usable_keys(&self, now: Duration) -> Option<(Arc<KeySet>, Duration)> {
        let keys = Arc::clone(self.keys.read().unwrap_or_else(PoisonError::into_inner).as_ref()?);
        let age = now.saturating_sub(keys.fetched_at);
        (age <= self.schedule.max_age).then_some((keys, age))
    }

    /// Whether the last fetch failed.
    pub(super) fn is_failing(&self) -> bool {
        matches!(self.lock().last, Some((_, Err(_))))
    }

    /// How the last fetch ended.
    pub(super) fn last(&self) -> Result<(), RefreshError> {
        self.lock().last.as_ref().map_or(Ok(()), |(_, outcome)| outcome.clone())
    }

    /// The running fetch, or a new one; `None` if it is too soon for another, or there is no runtime to run it.
    pub(super) fn begin(self: &Arc<Self>, purpose: Purpose) -> Option<PendingFetch> {
        let mut fetches = self.lock();
        if let Some(running) = &fetches.running {
            return Some(running.clone());
        }
        let now = self.clock.monotonic();
        if let Some((ended_at, outcome)) = &fetches.last {
            let wait = match purpose {
                Purpose::UnknownKey if outcome.is_ok() => self.schedule.unknown_key_interval,
                _ => PAUSE,
            };
            if now.saturating_sub(*ended_at) < wait {
                return None;
            }
        }
        let Ok(runtime) = Handle::try_current() else {
            tracing::error!("signing keys cannot be fetched outside a Tokio runtime");
            return None;
        };
        let (sender, receiver) = watch::channel(None);
        fetches.running = Some(receiver.clone());
        drop(fetches);
        runtime.spawn(run(Fetch { source: Arc::clone(self), sender }));
        Some(receiver)
    }

    /// Waits for a fetch.
    pub(super) async fn settle(mut fetch: PendingFetch) -> Result<(), RefreshError> {
        let ended = fetch.wait_for(Option::is_some).await;
        ended.ok().and_then(|outcome| outcome.clone()).unwrap_or_else(aborted)
    }

    async fn fetch(&self) -> Result<(), Cause> {
        let began_at = self.clock.monotonic();
        let timeout = self.schedule.timeout;
        let jwks = match &self.location {
            Location::Jwks(url) => fetch(self.transport.as_ref(), url, timeout).await?,
            Location::Discovery { url, issuer, allows_http } => {
                let metadata = fetch(self.transport.as_ref(), url, timeout).await?;
                let url = jwks_uri(&metadata, issuer, *allows_http)?;
                fetch(self.transport.as_ref(), &url, timeout).await?
            }
        };
        let keys = keys::parse(&jwks)?;
        let mut present = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let next = match present.as_ref() {
            Some(present) => present.succeed(keys, self.cache_size, began_at),
            None => KeySet::new(keys, self.cache_size, began_at),
        };
        *present = Some(Arc::new(next));
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Fetches> {
        self.fetches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

fn jwks_uri(metadata: &[u8], issuer: &str, allows_http: bool) -> Result<String, Cause> {
    let metadata: Metadata = serde_json::from_slice(metadata).map_err(Cause::Metadata)?;
    // OpenID Connect Discovery 1.0 §4.3: it must be identical.
    if metadata.issuer != issuer {
        return Err(Cause::OtherIssuer(metadata.issuer));
    }
    url::base(&metadata.jwks_uri, allows_http).map_err(Cause::JwksUri)
}

/// A fetch that is running. It is recorded as ended however it ends, also if the runtime drops the task.
struct Fetch {
    source: Arc<KeySource>,
    sender: watch::Sender<Option<Result<(), RefreshError>>>,
}

async fn run(fetch: Fetch) {
    let outcome = fetch.source.fetch().await.map_err(|cause| RefreshError(Arc::new(cause)));
    if let Err(RefreshError(cause)) = &outcome {
        tracing::warn!(error = cause.as_ref() as &dyn std::error::Error, "fetching signing keys failed");
    }
    fetch.sender.send_replace(Some(outcome));
}

impl Drop for Fetch {
    fn drop(&mut self) {
        let outcome = self.sender.borrow().clone().unwrap_or_else(aborted);
        let mut fetches = self.source.lock();
        fetches.running = None;
        fetches.last = Some((self.source.clock.monotonic(), outcome));
    }
}

fn aborted() -> Result<(), RefreshError> {
    Err(RefreshError(Arc::new(Cause::Aborted)))
}
