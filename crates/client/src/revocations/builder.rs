//! How a feed is configured.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::watch;

use super::follow::Connection;
use super::table::Table;
use super::{Handle, RevocationFeed, Revocations, WhenStale};
use crate::clock::{Clock, SystemClock};
use crate::error::BuildError;
use crate::transport::{Transport, transport_or_default};
use crate::url;

const DEFAULT_STALENESS_MAX: Duration = Duration::from_secs(30);
const DEFAULT_HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_hours(1);
/// Tokens live for a day at most: the largest value of `sessions.access_ttl_s`.
const TOKEN_LIFETIME_MAX: Duration = Duration::from_hours(24);
const DEFAULT_ENTRIES_MAX: usize = 5_000_000;

/// Configures a [`RevocationFeed`].
///
/// ```no_run
/// use denizen_client::{RevocationFeed, WhenStale};
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), denizen_client::BuildError> {
/// let feed = RevocationFeed::builder("https://accounts.example.com")
///     .api_key("dnk_…")
///     .when_stale(WhenStale::FailOpen)
///     .staleness_max(Duration::from_secs(60))
///     .start()?;
/// feed.caught_up().await;
/// # Ok(())
/// # }
/// ```
#[must_use = "call start()"]
pub struct RevocationFeedBuilder {
    server_url: String,
    allows_http: bool,
    api_key: String,
    when_stale: WhenStale,
    staleness_max: Duration,
    heartbeat_timeout: Duration,
    token_lifetime: Duration,
    entries_max: usize,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
}

/// Without the API key.
impl fmt::Debug for RevocationFeedBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationFeedBuilder").field("server_url", &self.server_url).finish_non_exhaustive()
    }
}

impl RevocationFeedBuilder {
    pub(super) fn new(server_url: String) -> Self {
        Self {
            server_url,
            allows_http: false,
            api_key: String::new(),
            when_stale: WhenStale::default(),
            staleness_max: DEFAULT_STALENESS_MAX,
            heartbeat_timeout: DEFAULT_HEARTBEAT_TIMEOUT,
            token_lifetime: DEFAULT_TOKEN_LIFETIME,
            entries_max: DEFAULT_ENTRIES_MAX,
            transport: None,
            clock: None,
        }
    }

    /// Authenticates with this API key of a service account. Without one, the transport must authenticate, for example by a
    /// client certificate.
    pub fn api_key(mut self, api_key: impl Into<String>) -> Self {
        self.api_key = api_key.into();
        self
    }

    /// Permits `http` URLs of other hosts than the machine itself. Anyone who can modify the traffic could
    /// then suppress revocations and use the API key.
    pub fn allow_http(mut self) -> Self {
        self.allows_http = true;
        self
    }

    /// What to do while the known revocations may be incomplete: fails closed by default.
    pub fn when_stale(mut self, when_stale: WhenStale) -> Self {
        self.when_stale = when_stale;
        self
    }

    /// How old the last message of the feed may be: 30 s by default. Must be greater than the server's
    /// `events.heartbeat_s`.
    pub fn staleness_max(mut self, staleness: Duration) -> Self {
        self.staleness_max = staleness;
        self
    }

    /// Reconnects if no message arrives for this time: 30 s by default, twice the default of the server's
    /// `events.heartbeat_s`.
    pub fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.heartbeat_timeout = timeout;
        self
    }

    /// The longest lifetime of a token: 1 hour by default, at most a day. Must not be less than the server's
    /// `sessions.access_ttl_s`. Revocations are retained for this time plus two minutes; a verifier with a feed refuses tokens
    /// with a longer lifetime, because their revocations could have been deleted.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// The maximum number of revocations in memory: 5,000,000 by default, about 42 bytes each. Beyond it, the feed is
    /// stale.
    pub fn entries_max(mut self, entries: usize) -> Self {
        self.entries_max = entries;
        self
    }

    /// Uses this HTTP client.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Uses this clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Starts to follow the feed, in a task on the current Tokio runtime.
    ///
    /// # Errors
    /// If a setting cannot be used, or there is no runtime. An unreachable server is not an error.
    pub fn start(self) -> Result<RevocationFeed, BuildError> {
        if self.token_lifetime > TOKEN_LIFETIME_MAX {
            return Err(BuildError::OutOfRange("the token lifetime must be at most a day"));
        }
        let base = url::base(&self.server_url, self.allows_http)?;
        let runtime = runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let revocations = Arc::new(Revocations {
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock::new())),
            credentials: Table::new(),
            subjects: Table::new(),
            complete_at: watch::Sender::new(None),
            staleness_max: self.staleness_max,
            when_stale: self.when_stale,
            token_lifetime: self.token_lifetime,
            entries_max: self.entries_max,
        });
        let connection = Connection::new(
            Arc::clone(&revocations),
            transport_or_default(self.transport)?,
            format!("{base}/api/v1/events/revocations"),
            self.api_key,
            self.heartbeat_timeout,
        );
        let task = runtime.spawn(connection.run()).abort_handle();
        Ok(RevocationFeed(Arc::new(Handle { revocations, task })))
    }
}
