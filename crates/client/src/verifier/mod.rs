//! Verifies access tokens with the keys of the issuer.

mod builder;
mod source;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use builder::VerifierBuilder;
pub use source::RefreshError;

use crate::claims::{Claims, Verified};
use crate::error::{AuthError, InvalidToken, VerifyError};
use crate::keys::KeySet;
use crate::revocations::RevocationFeed;
use crate::token::{self, Expected};
use source::{KeySource, Purpose};

/// Verifies access tokens without a request to the issuer for each. Cheap to clone; clones share keys and caches.
///
/// The keys are found by discovery, fetched when they are first needed and refreshed in the background. Concurrent
/// requests cause one fetch. If the issuer is unreachable, the last keys are used for up to [`VerifierBuilder::keys_max_age`],
/// then every token is refused.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use denizen_client::Verifier;
///
/// let verifier = Verifier::builder("https://accounts.example.com").audience("denizen").build()?;
/// # let token = "";
/// let claims = verifier.verify(token).await?;
/// claims.require_permission("notes:write")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    source: Arc<KeySource>,
    expected: Expected,
    token_bytes_max: usize,
    revocations: Option<RevocationFeed>,
}

/// A moment on both clocks.
#[derive(Clone, Copy)]
struct Now {
    unix_s: u64,
    monotonic: Duration,
}

impl Verifier {
    /// Starts to configure a verifier for the tokens of an issuer: the value of `tokens.issuer`, by default the public
    /// URL of the server.
    pub fn builder(issuer: impl Into<String>) -> VerifierBuilder {
        VerifierBuilder::new(issuer.into())
    }

    /// Verifies an access token: its signature, type, issuer, audience and lifetime, and that it was not revoked.
    /// Fetches keys if there are none, or if none has the `kid` of the token.
    ///
    /// # Errors
    /// [`VerifyError::Invalid`] if the token is not accepted, the other variants if that cannot be decided.
    pub async fn verify(&self, token: &str) -> Result<Claims, VerifyError> {
        self.check_length(token)?;
        let mut now = self.now();
        let keys = match self.key_state(now) {
            KeyState::Usable(keys) => keys,
            KeyState::MustFetch => {
                if let Some(fetch) = self.0.source.begin(Purpose::Age) {
                    let _ = KeySource::settle(fetch).await;
                }
                now = self.now();
                self.usable_keys().ok_or(VerifyError::KeysUnavailable)?
            }
        };
        match self.check(&keys, token, now) {
            Err(VerifyError::Invalid(InvalidToken::UnknownKey)) => self.verify_with_new_keys(token).await,
            outcome => outcome,
        }
    }

    /// Verifies a token with the keys that are present, without waiting. If none has the `kid` of the token, a fetch is
    /// started in the background. For code that cannot wait, such as interceptors of tonic.
    ///
    /// # Errors
    /// As [`verify`](Self::verify); [`VerifyError::KeysUnavailable`] also while keys are being fetched.
    pub fn verify_now(&self, token: &str) -> Result<Claims, VerifyError> {
        self.check_length(token)?;
        let now = self.now();
        let keys = match self.key_state(now) {
            KeyState::Usable(keys) => keys,
            KeyState::MustFetch => {
                let fetch = self.0.source.begin(Purpose::Age);
                let keys = self.usable_keys().ok_or(VerifyError::KeysUnavailable)?;
                // They may have been withdrawn since: wait for the fetch, unless it keeps failing.
                if fetch.is_some() && !self.0.source.is_failing() {
                    return Err(VerifyError::KeysUnavailable);
                }
                keys
            }
        };
        let outcome = self.check(&keys, token, now);
        if outcome == Err(VerifyError::Invalid(InvalidToken::UnknownKey))
            && self.0.source.begin(Purpose::UnknownKey).is_some()
        {
            return Err(VerifyError::KeysUnavailable);
        }
        outcome
    }

    /// Authenticates a request by the values of its `Authorization` headers: `None` if it has none, or one of another
    /// scheme than `Bearer`.
    ///
    /// # Errors
    /// [`AuthError::RepeatedHeader`], [`AuthError::InvalidToken`] or [`AuthError::Unavailable`].
    pub async fn authenticate<'a>(
        &self,
        authorization: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<Claims>, AuthError> {
        match bearer(authorization)? {
            Some(token) => Ok(Some(self.verify(token).await?)),
            None => Ok(None),
        }
    }

    /// The same without waiting; see [`verify_now`](Self::verify_now).
    ///
    /// # Errors
    /// Those of [`authenticate`](Self::authenticate).
    pub fn authenticate_now<'a>(
        &self,
        authorization: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<Claims>, AuthError> {
        match bearer(authorization)? {
            Some(token) => Ok(Some(self.verify_now(token)?)),
            None => Ok(None),
        }
    }

    /// Fetches the keys now, for example at startup, so that the first request does not wait and a wrong issuer is
    /// noticed.
    ///
    /// # Errors
    /// If the keys cannot be fetched.
    pub async fn refresh_keys(&self) -> Result<(), RefreshError> {
        match self.0.source.begin(Purpose::Age) {
            Some(fetch) => KeySource::settle(fetch).await,
            // The last one ended a moment ago.
            None => self.0.source.last(),
        }
    }

    /// The revocation feed, if there is one.
    #[must_use]
    pub fn revocations(&self) -> Option<&RevocationFeed> {
        self.0.revocations.as_ref()
    }

    /// Whether the other verifier is this one or a clone of it.
    #[cfg(feature = "actix")]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn now(&self) -> Now {
        let clock = &self.0.source.clock;
        Now { unix_s: clock.unix_time().as_secs(), monotonic: clock.monotonic() }
    }

    fn usable_keys(&self) -> Option<Arc<KeySet>> {
        self.0.source.usable_keys(self.0.source.clock.monotonic()).map(|(keys, _)| keys)
    }

    /// The keys, if they can be used without waiting. Starts to refresh old keys.
    fn key_state(&self, now: Now) -> KeyState {
        let source = &self.0.source;
        let Some((keys, age)) = source.usable_keys(now.monotonic) else { return KeyState::MustFetch };
        if age <= source.schedule.refresh_after {
            return KeyState::Usable(keys);
        }
        // After a long pause, a key may have been withdrawn long ago. While the issuer is unreachable, requests must
        // not wait for each attempt.
        if age > source.schedule.refresh_after * 2 && !source.is_failing() {
            return KeyState::MustFetch;
        }
        let _ = source.begin(Purpose::Age);
        KeyState::Usable(keys)
    }

    fn check_length(&self, token: &str) -> Result<(), InvalidToken> {
        if token.len() > self.0.token_bytes_max { Err(InvalidToken::TooLong) } else { Ok(()) }
    }

    async fn verify_with_new_keys(&self, token: &str) -> Result<Claims, VerifyError> {
        let Some(fetch) = self.0.source.begin(Purpose::UnknownKey) else {
            // Too soon. If the last fetch failed, the key may be new.
            let is_failing = self.0.source.is_failing();
            return Err(if is_failing { VerifyError::KeysUnavailable } else { InvalidToken::UnknownKey.into() });
        };
        KeySource::settle(fetch).await.map_err(|_| VerifyError::KeysUnavailable)?;
        let keys = self.usable_keys().ok_or(VerifyError::KeysUnavailable)?;
        self.check(&keys, token, self.now())
    }

    /// The clock of the verifier is read once for each token, because reading it is a large part of what a cached token
    /// costs. The feed has its own clock.
    fn check(&self, keys: &KeySet, token: &str, now: Now) -> Result<Claims, VerifyError> {
        let verified = self.verified(keys, token, now.unix_s)?;
        if let Some(revocations) = &self.0.revocations {
            revocations.check(&verified)?;
        }
        Ok(Claims::new(verified, now.unix_s))
    }

    fn verified(&self, keys: &KeySet, token: &str, now_s: u64) -> Result<Arc<Verified>, InvalidToken> {
        let tag = keys.verified.tag(token);
        if let Some(known) = tag.and_then(|tag| keys.verified.get(tag)) {
            token::check_time(&known, &self.0.expected, now_s)?;
            return Ok(known);
        }
        let verified = Arc::new(token::verify(keys, token, &self.0.expected, now_s)?);
        if let Some(tag) = tag {
            keys.verified.insert(tag, Arc::clone(&verified));
        }
        Ok(verified)
    }
}

enum KeyState {
    Usable(Arc<KeySet>),
    MustFetch,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("issuer", &self.0.expected.issuer).finish_non_exhaustive()
    }
}

/// The token of the one `Authorization` header with the scheme `Bearer` (RFC 6750 §2.1).
fn bearer<'a>(authorization: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<&'a str>, AuthError> {
    let mut values = authorization.into_iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(AuthError::RepeatedHeader);
    }
    let (scheme, token) = match value.iter().position(|&byte| byte == b' ') {
        Some(at) => value.split_at(at),
        None => (value, &[][..]),
    };
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(None);
    }
    let token =
        std::str::from_utf8(token.trim_ascii()).map_err(|_| AuthError::InvalidToken(InvalidToken::Malformed))?;
    Ok(Some(token))
}
