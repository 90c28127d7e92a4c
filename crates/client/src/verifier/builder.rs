//! How a verifier is configured.

use std::sync::Arc;
use std::time::Duration;

use super::source::{KeySource, Location, Schedule};
use super::{Inner, Verifier};
use crate::clock::{Clock, SystemClock};
use crate::error::BuildError;
use crate::revocations::RevocationFeed;
use crate::token::Expected;
use crate::transport::{Transport, transport_or_default};
use crate::url::{self, UrlError};

const DEFAULT_REFRESH_AFTER: Duration = Duration::from_mins(5);
const DEFAULT_KEYS_MAX_AGE: Duration = Duration::from_hours(1);
const DEFAULT_UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(10);
const DEFAULT_FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);
/// Revocations are retained for a minute after the longest lifetime, which covers the leeway.
const LEEWAY_MAX: Duration = Duration::from_mins(1);
const DEFAULT_CACHE_SIZE: usize = 10_000;
const DEFAULT_TOKEN_BYTES_MAX: usize = 8192;

/// Configures a [`Verifier`].
///
/// ```
/// use denizen_client::Verifier;
/// use std::time::Duration;
///
/// let verifier = Verifier::builder("https://accounts.example.com")
///     .audience("denizen")
///     .leeway(Duration::from_secs(10))
///     .keys_max_age(Duration::from_secs(900))
///     .build()?;
/// # Ok::<(), denizen_client::BuildError>(())
/// ```
#[derive(Debug)]
#[must_use = "call build()"]
pub struct VerifierBuilder {
    issuer: String,
    audiences: Vec<String>,
    server_url: Option<String>,
    allows_http: bool,
    leeway: Duration,
    schedule: Schedule,
    cache_size: usize,
    token_bytes_max: usize,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    revocations: Option<RevocationFeed>,
}

impl VerifierBuilder {
    pub(super) fn new(issuer: String) -> Self {
        Self {
            issuer,
            audiences: Vec::new(),
            server_url: None,
            allows_http: false,
            leeway: DEFAULT_LEEWAY,
            schedule: Schedule {
                refresh_after: DEFAULT_REFRESH_AFTER,
                max_age: DEFAULT_KEYS_MAX_AGE,
                unknown_key_interval: DEFAULT_UNKNOWN_KEY_INTERVAL,
                timeout: DEFAULT_FETCH_TIMEOUT,
            },
            cache_size: DEFAULT_CACHE_SIZE,
            token_bytes_max: DEFAULT_TOKEN_BYTES_MAX,
            transport: None,
            clock: None,
            revocations: None,
        }
    }

    /// Accepts tokens for this audience: the value of `tokens.audience`, by default `denizen`. At least one is required;
    /// a token must contain one of them.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Fetches the keys at this URL of the server, without discovery, because the server is reached at another URL than
    /// the issuer: for example in an internal network.
    pub fn server_url(mut self, url: impl Into<String>) -> Self {
        self.server_url = Some(url.into());
        self
    }

    /// Permits `http` URLs of other hosts than the machine itself. Anyone who can modify the traffic could
    /// then forge tokens.
    pub fn allow_http(mut self) -> Self {
        self.allows_http = true;
        self
    }

    /// Checks revocations.
    pub fn revocations(mut self, feed: RevocationFeed) -> Self {
        self.revocations = Some(feed);
        self
    }

    /// How far the clocks of issuer and verifier may differ: 30 s by default, at most 60 s. Applies to `exp`, `nbf` and
    /// `iat`.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Refreshes keys of this age in the background: 5 minutes by default. A withdrawn key is trusted for up to twice
    /// this time.
    pub fn refresh_after(mut self, age: Duration) -> Self {
        self.schedule.refresh_after = age;
        self
    }

    /// Stops using keys that could not be refreshed for this time: 1 hour by default.
    pub fn keys_max_age(mut self, age: Duration) -> Self {
        self.schedule.max_age = age;
        self
    }

    /// The minimum time between two fetches because of tokens with an unknown `kid`: 10 s by default.
    pub fn unknown_key_interval(mut self, interval: Duration) -> Self {
        self.schedule.unknown_key_interval = interval;
        self
    }

    /// The time limit of each request for keys or metadata: 5 s by default.
    pub fn fetch_timeout(mut self, timeout: Duration) -> Self {
        self.schedule.timeout = timeout;
        self
    }

    /// The number of verified tokens that are cached: 10,000 by default, about 700 bytes each.
    pub fn cache_size(mut self, tokens: usize) -> Self {
        self.cache_size = tokens;
        self
    }

    /// The maximum size of a token, in bytes: 8192 by default.
    pub fn token_bytes_max(mut self, bytes: usize) -> Self {
        self.token_bytes_max = bytes;
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

    /// The verifier. Nothing is fetched yet.
    ///
    /// # Errors
    /// If a setting is missing or cannot be used.
    pub fn build(self) -> Result<Verifier, BuildError> {
        if self.audiences.is_empty() {
            return Err(BuildError::NoAudience);
        }
        if self.leeway > LEEWAY_MAX {
            return Err(BuildError::OutOfRange("the leeway must be at most 60 s"));
        }
        if self.schedule.max_age < self.schedule.refresh_after {
            return Err(BuildError::OutOfRange("keys_max_age must not be less than refresh_after"));
        }
        let location = location(&self.issuer, self.server_url.as_deref(), self.allows_http)?;
        let transport = transport_or_default(self.transport)?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let lifetime_max_s = self.revocations.as_ref().map(RevocationFeed::token_lifetime_s);
        let source = KeySource::new(clock, transport, location, self.schedule, self.cache_size);
        Ok(Verifier(Arc::new(Inner {
            source: Arc::new(source),
            expected: Expected {
                issuer: self.issuer,
                audiences: self.audiences,
                leeway_s: self.leeway.as_secs(),
                lifetime_max_s,
            },
            token_bytes_max: self.token_bytes_max,
            revocations: self.revocations,
        })))
    }
}

fn location(issuer: &str, server_url: Option<&str>, allows_http: bool) -> Result<Location, UrlError> {
    if let Some(server_url) = server_url {
        return Ok(Location::Jwks(format!("{}/.well-known/jwks.json", url::base(server_url, allows_http)?)));
    }
    let base = url::base(issuer, allows_http)?;
    let url = format!("{base}/.well-known/openid-configuration");
    Ok(Location::Discovery { url, issuer: issuer.to_owned(), allows_http })
}
