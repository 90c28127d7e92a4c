//! A [tower](https://docs.rs/tower) layer for any service over HTTP: hyper, Axum, tonic.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Extensions, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::claims::Claims;
use crate::error::AuthError;
use crate::http_response::{self, authenticate};
use crate::policy::Policy;
use crate::transport::BoxFuture;
use crate::verifier::Verifier;

/// Authenticates requests by their bearer token. The claims are read with [`claims`], or with the extractors of Axum.
///
/// ```
/// use denizen_client::tower::{AuthLayer, claims};
/// use denizen_client::{Policy, Verifier};
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, service_fn};
///
/// let verifier = Verifier::builder("https://accounts.example.com").audience("denizen").build()?;
/// let service = ServiceBuilder::new()
///     .layer(AuthLayer::require(verifier, Policy::new().permission("notes:read")))
///     .service(service_fn(async |request: Request<String>| {
///         let caller = claims(request.extensions())?.map(|claims| claims.subject());
///         Ok::<_, denizen_client::AuthError>(Response::new(format!("{caller:?}")))
///     }));
/// # let _ = service;
/// # Ok::<(), denizen_client::BuildError>(())
/// ```
#[derive(Debug, Clone)]
pub struct AuthLayer<R = HttpRejection> {
    shared: Arc<Shared>,
    on_rejection: R,
}

#[derive(Debug)]
struct Shared {
    verifier: Verifier,
    /// `None` if no request is refused here.
    policy: Option<Policy>,
}

impl AuthLayer {
    /// Refuses requests that do not meet the policy.
    #[must_use]
    pub fn require(verifier: Verifier, policy: Policy) -> Self {
        Self { shared: Arc::new(Shared { verifier, policy: Some(policy) }), on_rejection: HttpRejection }
    }

    /// Authenticates requests without refusing any: the handler decides, by its extractor or by [`claims`].
    #[must_use]
    pub fn identify(verifier: Verifier) -> Self {
        Self { shared: Arc::new(Shared { verifier, policy: None }), on_rejection: HttpRejection }
    }
}

impl<R> AuthLayer<R> {
    /// Responds to refused requests with this: a closure `Fn(AuthError) -> Response`.
    #[must_use]
    pub fn on_rejection<T>(self, on_rejection: T) -> AuthLayer<T> {
        AuthLayer { shared: self.shared, on_rejection }
    }
}

impl<S, R: Clone> Layer<S> for AuthLayer<R> {
    type Service = AuthService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthService { inner, shared: Arc::clone(&self.shared), on_rejection: self.on_rejection.clone() }
    }
}

/// The service of [`AuthLayer`].
#[derive(Debug, Clone)]
pub struct AuthService<S, R = HttpRejection> {
    inner: S,
    shared: Arc<Shared>,
    on_rejection: R,
}

impl<S, B, O, R> Service<Request<B>> for AuthService<S, R>
where
    S: Service<Request<B>, Response = Response<O>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: OnRejection<O>,
{
    type Response = Response<O>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<O>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The service that is ready is called; its clone takes its place.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let (shared, on_rejection) = (Arc::clone(&self.shared), self.on_rejection.clone());
        Box::pin(async move {
            let result = authenticate(&shared.verifier, request.headers()).await;
            if let Some(policy) = &shared.policy
                && let Err(error) = policy.admit(&result)
            {
                return Ok(on_rejection.respond(error));
            }
            request.extensions_mut().insert(AuthResult(result));
            inner.call(request).await
        })
    }
}

/// The result of the authentication, stored in the request extensions.
#[derive(Clone)]
pub(crate) struct AuthResult(pub(crate) Result<Option<Claims>, AuthError>);

/// The claims of a request that passed an [`AuthLayer`]; `None` if it has no token.
///
/// # Errors
/// The reason if its token is not valid; [`AuthError::NotConfigured`] if it passed no layer.
pub fn claims(extensions: &Extensions) -> Result<Option<Claims>, AuthError> {
    if let Some(AuthResult(result)) = extensions.get() {
        return result.clone();
    }
    tracing::error!("the claims of a request were read, but no AuthLayer was added");
    Err(AuthError::NotConfigured)
}

/// How a layer responds to refused requests, in bodies of type `B`. Implemented by closures.
pub trait OnRejection<B>: Clone + Send + Sync + 'static {
    /// The response.
    fn respond(&self, error: AuthError) -> Response<B>;
}

impl<B, F: Fn(AuthError) -> Response<B> + Clone + Send + Sync + 'static> OnRejection<B> for F {
    fn respond(&self, error: AuthError) -> Response<B> {
        self(error)
    }
}

/// The default response: see [`response`].
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpRejection;

impl<B: From<String>> OnRejection<B> for HttpRejection {
    fn respond(&self, error: AuthError) -> Response<B> {
        response(&error)
    }
}

/// The response to a refused request: status, `WWW-Authenticate`, `Retry-After` and a JSON body.
///
/// ```
/// use denizen_client::{AuthError, tower::response};
///
/// let response = response::<String>(&AuthError::MissingToken);
/// assert_eq!(response.status(), 401);
/// assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"denizen\"");
/// ```
#[must_use]
pub fn response<B: From<String>>(error: &AuthError) -> Response<B> {
    http_response::response(error)
}

impl fmt::Debug for AuthResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
