//! Why a verifier cannot be built, why a request is refused, and the response to it (RFC 6750, RFC 9470).

use std::fmt::Write;
use std::time::Duration;

use crate::claims::Acr;
use crate::transport::TransportError;
use crate::url::UrlError;

/// The protection space of `WWW-Authenticate`, the same as the server's.
const REALM: &str = "Bearer realm=\"denizen\"";
/// When to try again if keys or revocations are unavailable, in seconds.
const RETRY_AFTER_S: u32 = 5;

/// Why a verifier or a feed cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No audience was added.
    #[error("no audience: add the value of tokens.audience")]
    NoAudience,
    /// The issuer or the URL of the server cannot be used.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A time or size is outside its range.
    #[error("{0}")]
    OutOfRange(&'static str),
    /// There is no HTTP client: the feature `reqwest` is disabled and no transport was set.
    #[error("no transport: enable the feature reqwest, or set one")]
    NoTransport,
    /// The HTTP client cannot be created.
    #[error("creating the HTTP client failed")]
    Transport(#[source] TransportError),
    /// The feed was started outside a Tokio runtime.
    #[error("the revocation feed must be started within a Tokio runtime")]
    NoRuntime,
}

/// Why a token is invalid. For logs: the response is the same for all reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidToken {
    /// It is larger than the limit.
    #[error("too long")]
    TooLong,
    /// It is not a JWS in the compact form, or its header is invalid.
    #[error("malformed")]
    Malformed,
    /// Its `typ` is not `at+jwt`: for example an ID token.
    #[error("not an access token")]
    WrongType,
    /// Its `alg` is not `ES256`, `EdDSA` or `RS256`, or does not belong to its key.
    #[error("signed with an unsupported algorithm")]
    UnsupportedAlgorithm,
    /// Its header has `crit`.
    #[error("using an unsupported critical header")]
    CriticalHeader,
    /// The issuer has no key with its `kid`.
    #[error("signed with an unknown key")]
    UnknownKey,
    /// Its signature is wrong.
    #[error("signed with an invalid signature")]
    BadSignature,
    /// A claim is missing or has the wrong type.
    #[error("missing required claims")]
    InvalidClaims,
    /// `iss` is another issuer.
    #[error("from another issuer")]
    WrongIssuer,
    /// `aud` does not contain the audience.
    #[error("for another audience")]
    WrongAudience,
    /// `exp` has passed.
    #[error("expired")]
    Expired,
    /// `nbf` is in the future.
    #[error("not valid yet")]
    NotYetValid,
    /// `iat` is in the future.
    #[error("issued in the future")]
    IssuedInFuture,
    /// It is valid for longer than revocations are retained.
    #[error("valid for too long")]
    LifetimeTooLong,
    /// It is bound to a key (`cnf`), so it is not a bearer token.
    #[error("bound to a key")]
    SenderConstrained,
    /// Its session has ended, its API key or its account was deleted, or its account was disabled.
    #[error("revoked")]
    Revoked,
}

/// Why a token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The token is invalid.
    #[error("the access token is {0}")]
    Invalid(InvalidToken),
    /// There are no current keys: the issuer cannot be reached.
    #[error("the signing keys of the issuer are unavailable")]
    KeysUnavailable,
    /// The known revocations are outdated, and the feed fails closed.
    #[error("the revocations are unavailable")]
    RevocationsUnavailable,
}

impl From<InvalidToken> for VerifyError {
    fn from(reason: InvalidToken) -> Self {
        Self::Invalid(reason)
    }
}

/// Why a request is refused. Every adapter turns it into a response; convert it into the error type of your
/// application with `From`.
///
/// ```
/// use denizen_client::AuthError;
///
/// enum AppError {
///     Auth(AuthError),
///     NoteNotFound,
/// }
///
/// impl From<AuthError> for AppError {
///     fn from(error: AuthError) -> Self {
///         Self::Auth(error)
///     }
/// }
///
/// let error = AuthError::InsufficientScope { scope: Some("notes:write".to_owned()) };
/// assert_eq!(error.status(), 403);
/// assert_eq!(
///     error.challenge().unwrap(),
///     r#"Bearer realm="denizen", error="insufficient_scope", scope="notes:write""#
/// );
/// # let _ = (AppError::from(error), AppError::NoteNotFound);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The request has no bearer token.
    #[error("Sign in and send the access token as Authorization: Bearer.")]
    MissingToken,
    /// The request has more than one `Authorization` header.
    #[error("Send one Authorization header.")]
    RepeatedHeader,
    /// The token is invalid.
    #[error("The access token is invalid, has expired or was revoked.")]
    InvalidToken(InvalidToken),
    /// The token lacks a permission or a role, or belongs to a service account where a user is required.
    #[error("The access token does not permit this.")]
    InsufficientScope {
        /// The missing permission.
        scope: Option<String>,
    },
    /// The authentication is not strong enough, or not recent enough.
    #[error("Authenticate again.")]
    InsufficientAuthentication {
        /// The required assurance level.
        acr: Option<Acr>,
        /// The maximum time since the authentication.
        max_age: Option<Duration>,
    },
    /// Keys or revocations are unavailable.
    #[error("Tokens cannot be verified at the moment.")]
    Unavailable(VerifyError),
    /// The verifier was not added to the application.
    #[error("Internal error.")]
    NotConfigured,
}

impl AuthError {
    /// The HTTP status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::RepeatedHeader => 400,
            Self::MissingToken | Self::InvalidToken(_) | Self::InsufficientAuthentication { .. } => 401,
            Self::InsufficientScope { .. } => 403,
            Self::NotConfigured => 500,
            Self::Unavailable(_) => 503,
        }
    }

    /// The error code: one of RFC 6750 §3.1 and RFC 9470 §3, where there is one.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingToken => "unauthenticated",
            Self::RepeatedHeader => "invalid_request",
            Self::InvalidToken(_) => "invalid_token",
            Self::InsufficientScope { .. } => "insufficient_scope",
            Self::InsufficientAuthentication { .. } => "insufficient_user_authentication",
            Self::Unavailable(_) => "temporarily_unavailable",
            Self::NotConfigured => "server_error",
        }
    }

    /// The value of `WWW-Authenticate`.
    #[must_use]
    pub fn challenge(&self) -> Option<String> {
        let mut challenge = REALM.to_owned();
        match self {
            // Without an error code (RFC 6750 §3.1).
            Self::MissingToken => return Some(challenge),
            Self::Unavailable(_) | Self::NotConfigured => return None,
            _ => push(&mut challenge, "error", self.code()),
        }
        match self {
            Self::InsufficientScope { scope: Some(scope) } => push(&mut challenge, "scope", scope),
            Self::InsufficientAuthentication { acr, max_age } => {
                if let Some(acr) = acr {
                    let values: Vec<_> = acr.at_least().map(Acr::as_str).collect();
                    push(&mut challenge, "acr_values", &values.join(" "));
                }
                if let Some(max_age) = max_age {
                    push(&mut challenge, "max_age", &max_age.as_secs().to_string());
                }
            }
            _ => {}
        }
        Some(challenge)
    }

    /// The value of `Retry-After`, in seconds.
    #[must_use]
    pub const fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::Unavailable(_) => Some(RETRY_AFTER_S),
            _ => None,
        }
    }

    /// A JSON document for the body of the response: `error` is the code, `error_description` the message.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!({"error": self.code(), "error_description": self.to_string()}).to_string()
    }
}

impl From<VerifyError> for AuthError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Invalid(reason) => Self::InvalidToken(reason),
            VerifyError::KeysUnavailable | VerifyError::RevocationsUnavailable => Self::Unavailable(error),
        }
    }
}

/// Adds a parameter. Characters that a quoted string must escape, or that a header must not contain, are dropped.
fn push(challenge: &mut String, name: &str, value: &str) {
    let is_plain = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    let value: String = value.chars().filter(is_plain).collect();
    // Writing to a string cannot fail.
    let _ = write!(challenge, ", {name}=\"{value}\"");
}
