//! What a request must prove.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use crate::claims::{Acr, Claims, User};
use crate::error::AuthError;

/// What the token of a request must prove, for layers, middleware and filters. Everything added is required.
///
/// ```
/// use denizen_client::{Acr, Policy};
/// use std::time::Duration;
///
/// let policy = Policy::new().permission("notes:delete").acr(Acr::Aal2).max_age(Duration::from_secs(300));
/// # let _ = policy;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    is_user: bool,
    permissions: Vec<String>,
    roles: Vec<String>,
    acr: Option<Acr>,
    max_age: Option<Duration>,
}

impl Policy {
    /// A valid token, of a user or of a service account.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A signed-in user.
    #[must_use]
    pub fn user() -> Self {
        Self { is_user: true, ..Self::default() }
    }

    /// Requires a permission.
    #[must_use]
    pub fn permission(mut self, permission: impl Into<String>) -> Self {
        self.permissions.push(permission.into());
        self
    }

    /// Requires a role.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// Requires this assurance level or a higher one.
    #[must_use]
    pub fn acr(mut self, acr: Acr) -> Self {
        self.acr = Some(acr);
        self
    }

    /// Requires that the user authenticated within this time before the request.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Fails at the first requirement that the claims do not meet.
    ///
    /// # Errors
    /// [`AuthError::InsufficientScope`] or [`AuthError::InsufficientAuthentication`].
    pub fn check(&self, claims: &Claims) -> Result<(), AuthError> {
        if self.is_user && claims.session_id().is_none() {
            return Err(AuthError::InsufficientScope { scope: None });
        }
        self.permissions.iter().try_for_each(|permission| claims.require_permission(permission))?;
        self.roles.iter().try_for_each(|role| claims.require_role(role))?;
        claims.require_authentication(self.acr, self.max_age)
    }

    /// Checks the result of an authentication. A request without a token meets no policy.
    #[cfg(any(feature = "actix", feature = "tower"))]
    pub(crate) fn admit(&self, result: &Result<Option<Claims>, AuthError>) -> Result<(), AuthError> {
        let claims = result.as_ref().map_err(Clone::clone)?;
        self.check(claims.as_ref().ok_or(AuthError::MissingToken)?)
    }
}

/// A [`Policy`] as a type, for [`Authorized`].
pub trait Requirement: Send + Sync + 'static {
    /// The policy.
    fn policy() -> Policy;
}

/// The signed-in user of a request, or `None` if it has no token. It is an extractor for Actix Web and Axum and a request
/// guard for Rocket.
///
/// A request with a token that is not valid is refused. `Option<User>` does the same with Axum; with Actix Web and Rocket,
/// it would be `None` for every failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionalUser(pub Option<User>);

/// The claims of a request that meets a requirement. It is an extractor for Axum and Actix Web and a request guard for
/// Rocket, so the signature of a handler states what the handler requires.
///
/// ```
/// use denizen_client::{Authorized, Policy, Requirement};
///
/// struct DeleteNotes;
///
/// impl Requirement for DeleteNotes {
///     fn policy() -> Policy {
///         Policy::user().permission("notes:delete")
///     }
/// }
///
/// async fn delete_note(caller: Authorized<DeleteNotes>) -> String {
///     format!("deleted by {}", caller.subject())
/// }
/// # let _ = delete_note;
/// ```
pub struct Authorized<R> {
    claims: Claims,
    requirement: PhantomData<fn() -> R>,
}

impl<R: Requirement> Authorized<R> {
    /// Checks the policy.
    ///
    /// # Errors
    /// Those of [`Policy::check`].
    pub fn new(claims: Claims) -> Result<Self, AuthError> {
        R::policy().check(&claims)?;
        Ok(Self { claims, requirement: PhantomData })
    }

    /// The claims of the token.
    #[must_use]
    pub fn into_claims(self) -> Claims {
        self.claims
    }
}

impl<R> Deref for Authorized<R> {
    type Target = Claims;

    fn deref(&self) -> &Claims {
        &self.claims
    }
}

impl<R> fmt::Debug for Authorized<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorized").field(&self.claims).finish()
    }
}
