//! What a verified token says, and checks of it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::error::AuthError;
use crate::token::Custom;

/// The claims of a verified access token, of a user or of a service account. Cheap to clone.
///
/// ```
/// use denizen_client::{Acr, AuthError, Claims};
/// use std::time::Duration;
///
/// fn delete_everything(claims: &Claims) -> Result<(), AuthError> {
///     claims.require_permission("notes:delete")?;
///     claims.require_acr(Acr::Aal2)?;
///     claims.require_recent(Duration::from_secs(300))?;
///     Ok(())
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Claims {
    verified: Arc<Verified>,
    /// When the token was presented, in seconds since the Unix epoch.
    presented_at: u64,
}

/// A verified token, as it is cached.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) subject: Uuid,
    pub(crate) kind: Kind,
    pub(crate) token_id: Box<str>,
    pub(crate) client_id: Option<Box<str>>,
    pub(crate) role: Box<str>,
    pub(crate) scope: Box<str>,
    pub(crate) authentication: Authentication,
    pub(crate) issued_at: u64,
    pub(crate) not_before: u64,
    pub(crate) expires_at: u64,
    pub(crate) custom: Custom,
}

/// Whose token it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    User { session_id: Uuid, email: Option<Box<str>>, email_verified: bool },
    ServiceAccount { key_id: Uuid },
}

/// When and how the user authenticated (RFC 9068 §2.2.1).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authentication {
    pub(crate) at: Option<u64>,
    pub(crate) acr: Option<Acr>,
    pub(crate) methods: Box<[String]>,
}

impl Claims {
    pub(crate) fn new(verified: Arc<Verified>, presented_at: u64) -> Self {
        Self { verified, presented_at }
    }

    /// The user or service account (`sub`).
    #[must_use]
    pub fn subject(&self) -> Uuid {
        self.verified.subject
    }

    /// The user, unless the token belongs to a service account.
    #[must_use]
    pub fn user(&self) -> Option<User> {
        matches!(self.verified.kind, Kind::User { .. }).then(|| User(self.clone()))
    }

    /// The session (`sid`); `None` for a service account.
    #[must_use]
    pub fn session_id(&self) -> Option<Uuid> {
        match self.verified.kind {
            Kind::User { session_id, .. } => Some(session_id),
            Kind::ServiceAccount { .. } => None,
        }
    }

    /// The API key with which a service account requested the token (`key_id`); `None` for a user.
    #[must_use]
    pub fn api_key_id(&self) -> Option<Uuid> {
        match self.verified.kind {
            Kind::User { .. } => None,
            Kind::ServiceAccount { key_id } => Some(key_id),
        }
    }

    /// The email address (`email`); `None` for a service account.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        match &self.verified.kind {
            Kind::User { email, .. } => email.as_deref(),
            Kind::ServiceAccount { .. } => None,
        }
    }

    /// Whether the user had proven, when the token was issued, that they receive mail at the address
    /// (`email_verified`).
    #[must_use]
    pub fn is_email_verified(&self) -> bool {
        matches!(self.verified.kind, Kind::User { email_verified: true, .. })
    }

    /// The OAuth client (`client_id`).
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.verified.client_id.as_deref()
    }

    /// The unique identifier of the token (`jti`).
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.verified.token_id
    }

    /// The roles. Denizen gives each account one role (`role`).
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        Some(self.verified.role.as_ref()).filter(|role| !role.is_empty()).into_iter()
    }

    /// The permissions of the token. They are its scopes (`scope`).
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        self.verified.scope.split(' ').filter(|permission| !permission.is_empty())
    }

    /// The claim `scope` as it is: permissions separated by spaces.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.verified.scope
    }

    /// Whether the token has a permission.
    #[must_use]
    pub fn has_permission(&self, permission: &str) -> bool {
        self.permissions().any(|held| held == permission)
    }

    /// Whether the account has a role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().any(|held| held == role)
    }

    /// The assurance level (`acr`); `None` for a service account, and for a value unknown to this version.
    #[must_use]
    pub fn acr(&self) -> Option<Acr> {
        self.verified.authentication.acr
    }

    /// The authentication methods (`amr`, RFC 8176), for example `pwd` and `otp`.
    pub fn amr(&self) -> impl Iterator<Item = &str> {
        self.verified.authentication.methods.iter().map(String::as_str)
    }

    /// When the user last authenticated (`auth_time`); `None` for a service account.
    #[must_use]
    pub fn auth_time(&self) -> Option<SystemTime> {
        self.verified.authentication.at.and_then(system_time)
    }

    /// When the token was issued (`iat`).
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        system_time(self.verified.issued_at)
    }

    /// When the token expires (`exp`).
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        system_time(self.verified.expires_at)
    }

    /// A claim that this type has no method for, such as one from attributes (`tokens.claims`); `None` if it is absent.
    ///
    /// ```
    /// use denizen_client::Claims;
    ///
    /// fn seats(claims: &Claims) -> u64 {
    ///     claims.claim("seats").and_then(|seats| seats.as_u64()).unwrap_or(1)
    /// }
    /// ```
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.verified.custom.get(name)
    }

    /// The same, deserialized into a type of the application; `None` if it is absent or has another form.
    #[must_use]
    pub fn claim_as<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.claim(name).and_then(|value| T::deserialize(value).ok())
    }

    /// Fails unless the token has a permission.
    ///
    /// # Errors
    /// [`AuthError::InsufficientScope`].
    pub fn require_permission(&self, permission: &str) -> Result<(), AuthError> {
        if self.has_permission(permission) {
            return Ok(());
        }
        Err(AuthError::InsufficientScope { scope: Some(permission.to_owned()) })
    }

    /// Fails unless the account has a role.
    ///
    /// # Errors
    /// [`AuthError::InsufficientScope`], without naming a scope.
    pub fn require_role(&self, role: &str) -> Result<(), AuthError> {
        if self.has_role(role) { Ok(()) } else { Err(AuthError::InsufficientScope { scope: None }) }
    }

    /// Fails unless the session has this assurance level or a higher one.
    ///
    /// # Errors
    /// [`AuthError::InsufficientAuthentication`], with which the client asks for a step-up (RFC 9470).
    pub fn require_acr(&self, acr: Acr) -> Result<(), AuthError> {
        self.require_authentication(Some(acr), None)
    }

    /// Fails unless the user authenticated within this time before the request.
    ///
    /// # Errors
    /// [`AuthError::InsufficientAuthentication`], with which the client asks for a step-up (RFC 9470).
    pub fn require_recent(&self, max_age: Duration) -> Result<(), AuthError> {
        self.require_authentication(None, Some(max_age))
    }

    pub(crate) fn require_authentication(&self, acr: Option<Acr>, max_age: Option<Duration>) -> Result<(), AuthError> {
        let is_strong = acr.is_none_or(|least| self.acr().is_some_and(|acr| acr >= least));
        let is_recent = max_age.is_none_or(|max_age| {
            let at = self.verified.authentication.at;
            at.is_some_and(|at| self.presented_at.saturating_sub(at) <= max_age.as_secs())
        });
        if is_strong && is_recent { Ok(()) } else { Err(AuthError::InsufficientAuthentication { acr, max_age }) }
    }
}

/// Without the email address, so that logs do not contain it.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("subject", &self.verified.subject)
            .field("session_id", &self.session_id())
            .field("api_key_id", &self.api_key_id())
            .finish_non_exhaustive()
    }
}

fn system_time(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// A signed-in user. Dereferences to the [`Claims`] of their token.
///
/// ```
/// use denizen_client::User;
///
/// fn greet(user: &User) -> String {
///     format!("{} in session {}", user.id(), user.session())
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User(Claims);

impl User {
    /// The id of the user.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.0.subject()
    }

    /// The id of the session.
    #[must_use]
    pub fn session(&self) -> Uuid {
        self.0.session_id().unwrap_or_default()
    }

    /// The claims of the token.
    #[must_use]
    pub fn into_claims(self) -> Claims {
        self.0
    }
}

impl Deref for User {
    type Target = Claims;

    fn deref(&self) -> &Claims {
        &self.0
    }
}

/// The tokens of service accounts belong to no user.
impl TryFrom<Claims> for User {
    type Error = AuthError;

    fn try_from(claims: Claims) -> Result<Self, AuthError> {
        claims.user().ok_or(AuthError::InsufficientScope { scope: None })
    }
}

/// An assurance level: the claim `acr`. A greater value is stronger.
///
/// ```
/// use denizen_client::Acr;
///
/// assert!(Acr::PhishingResistant > Acr::Aal2);
/// assert_eq!(Acr::parse("aal1"), Some(Acr::Aal1));
/// assert_eq!(Acr::Aal2.as_str(), "aal2");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Acr {
    /// `aal1`: one factor (NIST SP 800-63B-4 §2.1).
    Aal1,
    /// `aal2`: two factors (NIST SP 800-63B-4 §2.2).
    Aal2,
    /// `phr`: two factors, and phishing-resistant (OpenID Connect Extended Authentication Profile §3).
    PhishingResistant,
}

impl Acr {
    const ALL: [Self; 3] = [Self::Aal1, Self::Aal2, Self::PhishingResistant];

    /// The level with this value; `None` if it is unknown.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|acr| acr.as_str() == raw)
    }

    /// The value of the claim.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aal1 => "aal1",
            Self::Aal2 => "aal2",
            Self::PhishingResistant => "phr",
        }
    }

    /// This level and the higher ones.
    pub(crate) fn at_least(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |acr| *acr >= self)
    }
}
