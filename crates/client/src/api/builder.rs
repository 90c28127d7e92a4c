//! Configures a client.

use std::sync::Arc;
use std::time::Duration;

use super::credentials::{Credentials, SessionTokens};
use super::{Api, Inner, Secret};
use crate::clock::{Clock, SystemClock};
use crate::error::BuildError;
use crate::transport::{Transport, transport_or_default};
use crate::url;

const DEADLINE: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 3;

/// Configures an [`Api`].
#[must_use]
pub struct ApiBuilder {
    server_url: String,
    credentials: Option<CredentialsKind>,
    deadline: Duration,
    attempts: u32,
    allows_http: bool,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
}

enum CredentialsKind {
    Bearer(Secret),
    Session(SessionTokens),
}

impl ApiBuilder {
    pub(super) fn new(server_url: String) -> Self {
        Self {
            server_url,
            credentials: None,
            deadline: DEADLINE,
            attempts: ATTEMPTS,
            allows_http: false,
            transport: None,
            clock: None,
        }
    }

    /// Authenticates with an API key.
    pub fn api_key(mut self, key: impl Into<Secret>) -> Self {
        self.credentials = Some(CredentialsKind::Bearer(key.into()));
        self
    }

    /// Authenticates with an access token that is not refreshed.
    pub fn access_token(mut self, token: impl Into<Secret>) -> Self {
        self.credentials = Some(CredentialsKind::Bearer(token.into()));
        self
    }

    /// Authenticates with the tokens of a session, and refreshes them. A refresh token can be used once: no other client
    /// may use the same tokens, and those of [`Api::session_tokens`] must be stored if the session is to be continued
    /// later.
    pub fn session(mut self, tokens: SessionTokens) -> Self {
        self.credentials = Some(CredentialsKind::Session(tokens));
        self
    }

    /// The maximum time of a call with all attempts: 30 s by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How often a call is sent at most: 3 times by default; 1 disables retries.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Accepts a server URL with `http` to another machine. Tokens and data can be read and changed on the network.
    pub fn allow_http(mut self) -> Self {
        self.allows_http = true;
        self
    }

    /// Uses this HTTP client.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Uses this clock to decide when tokens are refreshed.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    /// If a setting cannot be used.
    pub fn build(self) -> Result<Api, BuildError> {
        if self.attempts == 0 {
            return Err(BuildError::OutOfRange("attempts must be at least 1"));
        }
        if self.deadline.is_zero() {
            return Err(BuildError::OutOfRange("the deadline must be greater than 0"));
        }
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let credentials = match self.credentials {
            None => Credentials::None,
            Some(CredentialsKind::Bearer(token)) => Credentials::Bearer(token),
            Some(CredentialsKind::Session(tokens)) => Credentials::session(tokens, clock),
        };
        Ok(Api(Arc::new(Inner {
            server_url: url::base(&self.server_url, self.allows_http)?,
            transport: transport_or_default(self.transport)?,
            credentials,
            deadline: self.deadline,
            attempts: self.attempts,
        })))
    }
}
