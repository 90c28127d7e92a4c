//! An interceptor and a layer for [tonic](https://docs.rs/tonic) 0.14, and how a method reads its caller.
//!
//! [`AuthLayer`] waits for keys; [`AuthInterceptor`] cannot wait, and responds `UNAVAILABLE` while keys are being
//! fetched: call [`Verifier::refresh_keys`] at startup.
//!
//! ```
//! use denizen_client::tonic::RequestExt;
//! use tonic::{Request, Response, Status};
//!
//! /// A method of a service.
//! async fn delete_note(request: Request<String>) -> Result<Response<String>, Status> {
//!     let user = request.user()?;
//!     user.require_permission("notes:delete")?;
//!     Ok(Response::new(format!("deleted by {}", user.id())))
//! }
//! # let _ = delete_note;
//! ```

use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::{Code, Request, Status};

use crate::claims::{Claims, User};
use crate::error::AuthError;
use crate::policy::{Authorized, Policy, Requirement};
use crate::tower::{AuthLayer as HttpLayer, AuthResult, OnRejection, claims};
use crate::verifier::Verifier;

/// The layer of tower that responds with a gRPC status.
///
/// ```
/// use denizen_client::{Policy, Verifier, tonic::AuthLayer};
///
/// let verifier = Verifier::builder("https://accounts.example.com").audience("denizen").build()?;
/// let layer = denizen_client::tonic::layer(verifier, Policy::user());
/// // tonic::transport::Server::builder().layer(layer).add_service(…)
/// # let _: AuthLayer = layer;
/// # Ok::<(), denizen_client::BuildError>(())
/// ```
pub type AuthLayer = HttpLayer<GrpcRejection>;

/// A layer that refuses calls that do not meet the policy.
#[must_use]
pub fn layer(verifier: Verifier, policy: Policy) -> AuthLayer {
    HttpLayer::require(verifier, policy).on_rejection(GrpcRejection)
}

/// Responds to refused calls with a status, whose metadata has `www-authenticate`.
#[derive(Debug, Clone, Copy, Default)]
pub struct GrpcRejection;

impl<B: Default> OnRejection<B> for GrpcRejection {
    fn respond(&self, error: AuthError) -> http::Response<B> {
        Status::from(error).into_http()
    }
}

/// Authenticates calls by their bearer token, with the keys that are present.
///
/// ```
/// use denizen_client::{Policy, Verifier, tonic::AuthInterceptor};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let verifier = Verifier::builder("https://accounts.example.com").audience("denizen").build()?;
/// verifier.refresh_keys().await?;
/// let interceptor = AuthInterceptor::require(verifier, Policy::user());
/// // NotesServer::with_interceptor(service, interceptor)
/// # let _ = interceptor;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AuthInterceptor {
    verifier: Verifier,
    policy: Option<Policy>,
}

impl AuthInterceptor {
    /// Refuses calls that do not meet the policy.
    #[must_use]
    pub fn require(verifier: Verifier, policy: Policy) -> Self {
        Self { verifier, policy: Some(policy) }
    }

    /// Authenticates calls without refusing any: the method decides, by [`RequestExt`].
    #[must_use]
    pub fn identify(verifier: Verifier) -> Self {
        Self { verifier, policy: None }
    }
}

impl Interceptor for AuthInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let values = request.metadata().get_all("authorization");
        let result = self.verifier.authenticate_now(values.iter().map(MetadataValue::as_encoded_bytes));
        if let Some(policy) = &self.policy {
            policy.admit(&result)?;
        }
        request.extensions_mut().insert(AuthResult(result));
        Ok(request)
    }
}

/// Reads the caller of a request that passed an [`AuthLayer`] or an [`AuthInterceptor`].
pub trait RequestExt {
    /// The claims of the caller; `None` without a token.
    ///
    /// # Errors
    /// The status to respond with if the token is not valid.
    fn claims(&self) -> Result<Option<Claims>, Status>;

    /// The signed-in user; `None` without a token.
    ///
    /// # Errors
    /// The status to respond with if the token is not valid, or belongs to a service account.
    fn optional_user(&self) -> Result<Option<User>, Status> {
        Ok(self.claims()?.map(User::try_from).transpose()?)
    }

    /// The signed-in user.
    ///
    /// # Errors
    /// The status to respond with if there is none.
    fn user(&self) -> Result<User, Status> {
        Ok(self.optional_user()?.ok_or(AuthError::MissingToken)?)
    }

    /// The claims of a caller that meets a requirement.
    ///
    /// # Errors
    /// The status to respond with if it does not.
    fn authorized<R: Requirement>(&self) -> Result<Authorized<R>, Status> {
        Ok(Authorized::new(self.claims()?.ok_or(AuthError::MissingToken)?)?)
    }
}

impl<T> RequestExt for Request<T> {
    fn claims(&self) -> Result<Option<Claims>, Status> {
        Ok(claims(self.extensions())?)
    }
}

/// The status for a refused call. Its metadata has `www-authenticate`, as HTTP responses do.
impl From<AuthError> for Status {
    fn from(error: AuthError) -> Self {
        let code = match error {
            AuthError::MissingToken | AuthError::InvalidToken(_) | AuthError::InsufficientAuthentication { .. } => {
                Code::Unauthenticated
            }
            AuthError::RepeatedHeader => Code::InvalidArgument,
            AuthError::InsufficientScope { .. } => Code::PermissionDenied,
            AuthError::Unavailable(_) => Code::Unavailable,
            AuthError::NotConfigured => Code::Internal,
        };
        let mut status = Self::new(code, error.to_string());
        if let Some(challenge) = error.challenge().and_then(|challenge| challenge.parse().ok()) {
            status.metadata_mut().insert("www-authenticate", challenge);
        }
        status
    }
}
