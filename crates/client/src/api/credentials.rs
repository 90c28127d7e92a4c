//! How calls are authenticated.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::send::{Attempt, send};
use super::{Api, ApiError, Secret, SignedInWithTokens};
use crate::clock::Clock;
use crate::transport::{Method, TransportError};

/// Tokens are refreshed this long before they expire, so that none expires in transit.
const REFRESH_BEFORE: Duration = Duration::from_secs(30);

/// The tokens of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionTokens {
    /// The access token.
    pub access_token: Secret,
    /// The refresh token. It can be used once.
    pub refresh_token: Secret,
    /// Seconds until the access token expires. 0 if it is not known: then the tokens are refreshed first.
    pub expires_in_s: u64,
}

impl From<&SignedInWithTokens> for SessionTokens {
    fn from(tokens: &SignedInWithTokens) -> Self {
        Self {
            access_token: tokens.access_token.clone(),
            refresh_token: tokens.refresh_token.clone(),
            expires_in_s: u64::try_from(tokens.expires_in).unwrap_or(0),
        }
    }
}

pub(super) enum Credentials {
    None,
    Bearer(Secret),
    Session(Arc<Session>),
}

/// A session whose tokens are replaced.
pub(super) struct Session {
    clock: Arc<dyn Clock>,
    current: Mutex<Current>,
    /// Held while tokens are refreshed: by one call, the others wait for it.
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Current {
    tokens: SessionTokens,
    /// On the monotonic clock.
    expires_at: Duration,
}

#[derive(Serialize)]
struct RefreshBody<'a> {
    refresh_token: &'a str,
}

#[derive(Deserialize)]
struct Refreshed {
    access_token: Secret,
    refresh_token: Secret,
    expires_in: u64,
}

impl Credentials {
    pub(super) fn session(tokens: SessionTokens, clock: Arc<dyn Clock>) -> Self {
        let expires_at = clock.monotonic() + Duration::from_secs(tokens.expires_in_s);
        let current = Mutex::new(Current { tokens, expires_at });
        Self::Session(Arc::new(Session { clock, current, refreshing: tokio::sync::Mutex::new(()) }))
    }

    pub(super) fn session_tokens(&self) -> Option<SessionTokens> {
        let Self::Session(session) = self else { return None };
        let Current { mut tokens, expires_at } = session.current();
        tokens.expires_in_s = expires_at.saturating_sub(session.clock.monotonic()).as_secs();
        Some(tokens)
    }

    /// The bearer token for a request. Refreshes the tokens if they expire soon.
    pub(super) async fn bearer(&self, api: &Api) -> Result<Option<Secret>, ApiError> {
        match self {
            Self::None => Ok(None),
            Self::Bearer(token) => Ok(Some(token.clone())),
            Self::Session(session) => session.fresh(api).await.map(Some),
        }
    }

    /// The next token, after the server rejected this one; `None` if there is no other.
    pub(super) async fn replace(&self, api: &Api, refused: &Secret) -> Option<Secret> {
        let Self::Session(session) = self else { return None };
        session.refresh_in_task(api, Some(refused.clone())).await.ok()
    }
}

impl Session {
    fn current(&self) -> Current {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_fresh(&self, current: &Current) -> bool {
        self.clock.monotonic() + REFRESH_BEFORE < current.expires_at
    }

    async fn fresh(self: &Arc<Self>, api: &Api) -> Result<Secret, ApiError> {
        let current = self.current();
        if self.is_fresh(&current) {
            return Ok(current.tokens.access_token);
        }
        self.refresh_in_task(api, None).await
    }

    /// Refreshes the tokens, unless another call has already refreshed them: the access token differs from the
    /// rejected one, or is fresh.
    async fn refresh(&self, api: &Api, refused: Option<&Secret>) -> Result<Secret, ApiError> {
        let _refreshing = self.refreshing.lock().await;
        let current = self.current();
        let is_done = match refused {
            Some(refused) => current.tokens.access_token != *refused,
            None => self.is_fresh(&current),
        };
        if is_done {
            return Ok(current.tokens.access_token);
        }
        let refresh_token = current.tokens.refresh_token.expose();
        let body = serde_json::to_vec(&RefreshBody { refresh_token })?;
        let mut attempt = Attempt::new(Method::Post, "/api/v1/sessions/refresh");
        attempt.body = Some(&body);
        // Within `sessions.refresh_grace_s`, the same refresh token gets the same response.
        attempt.is_repeatable = true;
        let asked_at = self.clock.monotonic();
        let response = send(api, attempt, None).await?;
        let Refreshed { access_token, refresh_token, expires_in } = serde_json::from_slice(&response.body)?;
        let tokens = SessionTokens { access_token: access_token.clone(), refresh_token, expires_in_s: expires_in };
        let expires_at = asked_at + Duration::from_secs(expires_in);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Current { tokens, expires_at };
        Ok(access_token)
    }

    /// Runs in a task of its own: if the caller is cancelled, the next refresh token must not be lost.
    async fn refresh_in_task(self: &Arc<Self>, api: &Api, refused: Option<Secret>) -> Result<Secret, ApiError> {
        let (session, api) = (Arc::clone(self), api.clone());
        let task = tokio::spawn(async move { session.refresh(&api, refused.as_ref()).await });
        task.await.map_err(TransportError::new)?
    }
}
