//! Extractors and middleware for [Actix Web](https://docs.rs/actix-web) 4: [`User`], [`OptionalUser`], [`Claims`] and
//! [`Authorized`].
//!
//! Add the verifier as application data, and the extractor to the handlers that need a caller. To respond to refused
//! requests with an error of the application, extract `Result<User, AuthError>`. `Option<User>` is `None` for every
//! failure, also for an invalid token: use [`OptionalUser`].
//!
//! ```
//! use actix_web::{App, web};
//! use denizen_client::{User, Verifier};
//!
//! async fn me(user: User) -> String {
//!     user.id().to_string()
//! }
//!
//! let verifier = Verifier::builder("https://accounts.example.com").audience("denizen").build()?;
//! let app = App::new().app_data(web::Data::new(verifier)).route("/me", web::get().to(me));
//! # let _ = app;
//! # Ok::<(), denizen_client::BuildError>(())
//! ```

use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BoxBody, EitherBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError};
use tokio::sync::OnceCell;

use crate::claims::{Claims, User};
use crate::error::AuthError;
use crate::policy::{Authorized, OptionalUser, Policy, Requirement};
use crate::verifier::Verifier;

type SharedResult = Rc<OnceCell<Result<Option<Claims>, AuthError>>>;
type LocalBoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// The result of the authentication, stored in the request extensions.
#[derive(Clone)]
struct AuthResult(Result<Option<Claims>, AuthError>);

/// The result of the authentication by extractors, without the middleware, stored in the request extensions. Concurrent
/// extractors wait for the first one.
struct ExtractorResult {
    /// A scope can have another verifier than the application, whose result does not apply there.
    verifier: Verifier,
    result: SharedResult,
}

async fn authenticate(verifier: &Verifier, headers: &HeaderMap) -> Result<Option<Claims>, AuthError> {
    verifier.authenticate(headers.get_all(AUTHORIZATION).map(HeaderValue::as_bytes)).await
}

/// The claims: those of the middleware, or otherwise of the verifier in the application data.
fn claims(request: &HttpRequest) -> impl Future<Output = Result<Option<Claims>, AuthError>> + 'static {
    let known = request.extensions().get::<AuthResult>().cloned();
    let request = request.clone();
    async move {
        if let Some(AuthResult(result)) = known {
            return result;
        }
        let data = request.app_data::<Data<Verifier>>().map(Data::get_ref);
        let Some(verifier) = data.or_else(|| request.app_data::<Verifier>()).cloned() else {
            tracing::error!("the claims of a request were extracted, but no Verifier was added as application data");
            return Err(AuthError::NotConfigured);
        };
        let result = extractor_result(&request, &verifier);
        result.get_or_init(|| authenticate(&verifier, request.headers())).await.clone()
    }
}

/// The result of the extractors of this request that use this verifier; empty before the first one.
fn extractor_result(request: &HttpRequest, verifier: &Verifier) -> SharedResult {
    let mut extensions = request.extensions_mut();
    if let Some(known) = extensions.get::<ExtractorResult>()
        && known.verifier.is_same(verifier)
    {
        return Rc::clone(&known.result);
    }
    let result = Rc::default();
    extensions.insert(ExtractorResult { verifier: verifier.clone(), result: Rc::clone(&result) });
    result
}

impl FromRequest for Claims {
    type Error = AuthError;
    type Future = LocalBoxFuture<Result<Self, AuthError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let claims = claims(request);
        Box::pin(async move { claims.await?.ok_or(AuthError::MissingToken) })
    }
}

impl FromRequest for User {
    type Error = AuthError;
    type Future = LocalBoxFuture<Result<Self, AuthError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let claims = claims(request);
        Box::pin(async move { claims.await?.ok_or(AuthError::MissingToken)?.try_into() })
    }
}

impl FromRequest for OptionalUser {
    type Error = AuthError;
    type Future = LocalBoxFuture<Result<Self, AuthError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let claims = claims(request);
        Box::pin(async move { Ok(Self(claims.await?.map(User::try_from).transpose()?)) })
    }
}

impl<R: Requirement> FromRequest for Authorized<R> {
    type Error = AuthError;
    type Future = LocalBoxFuture<Result<Self, AuthError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let claims = claims(request);
        Box::pin(async move { Self::new(claims.await?.ok_or(AuthError::MissingToken)?) })
    }
}

impl ResponseError for AuthError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(ResponseError::status_code(self));
        response.content_type("application/json").insert_header((CACHE_CONTROL, "no-store"));
        if let Some(challenge) = self.challenge() {
            response.insert_header((WWW_AUTHENTICATE, challenge));
        }
        if let Some(seconds) = self.retry_after_s() {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        response.body(self.to_json())
    }
}

/// Middleware that authenticates requests by their bearer token, for a whole application or scope.
///
/// ```
/// use actix_web::web;
/// use denizen_client::{Policy, Verifier, actix::Auth};
///
/// let verifier = Verifier::builder("https://accounts.example.com").audience("denizen").build()?;
/// let admin = web::scope("/admin").wrap(Auth::require(verifier, Policy::user().role("admin")));
/// # let _ = admin;
/// # Ok::<(), denizen_client::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Auth(Arc<Settings>);

struct Settings {
    verifier: Verifier,
    policy: Option<Policy>,
    on_rejection: Box<dyn Fn(AuthError) -> HttpResponse + Send + Sync>,
}

impl Auth {
    /// Refuses requests that do not meet the policy.
    #[must_use]
    pub fn require(verifier: Verifier, policy: Policy) -> Self {
        Self::new(verifier, Some(policy))
    }

    /// Authenticates requests without refusing any: the handler decides, by its extractor.
    #[must_use]
    pub fn identify(verifier: Verifier) -> Self {
        Self::new(verifier, None)
    }

    fn new(verifier: Verifier, policy: Option<Policy>) -> Self {
        Self(Arc::new(Settings { verifier, policy, on_rejection: Box::new(|error| error.error_response()) }))
    }

    /// Responds to refused requests with this.
    #[must_use]
    pub fn on_rejection(self, on_rejection: impl Fn(AuthError) -> HttpResponse + Send + Sync + 'static) -> Self {
        let (verifier, policy) = (self.0.verifier.clone(), self.0.policy.clone());
        Self(Arc::new(Settings { verifier, policy, on_rejection: Box::new(on_rejection) }))
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("policy", &self.0.policy).finish_non_exhaustive()
    }
}

impl<S, B> Transform<S, ServiceRequest> for Auth
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B, BoxBody>>;
    type Error = Error;
    type InitError = ();
    type Transform = AuthMiddleware<S>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(AuthMiddleware { service: Rc::new(service), settings: Arc::clone(&self.0) }))
    }
}

/// The service of [`Auth`].
pub struct AuthMiddleware<S> {
    service: Rc<S>,
    settings: Arc<Settings>,
}

impl<S> std::fmt::Debug for AuthMiddleware<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthMiddleware").finish_non_exhaustive()
    }
}

impl<S, B> Service<ServiceRequest> for AuthMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B, BoxBody>>;
    type Error = Error;
    type Future = LocalBoxFuture<Result<Self::Response, Error>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (service, settings) = (Rc::clone(&self.service), Arc::clone(&self.settings));
        Box::pin(async move {
            let result = authenticate(&settings.verifier, request.headers()).await;
            if let Some(policy) = &settings.policy
                && let Err(error) = policy.admit(&result)
            {
                let response = (settings.on_rejection)(error);
                return Ok(request.into_response(response).map_into_right_body());
            }
            request.extensions_mut().insert(AuthResult(result));
            service.call(request).await.map(ServiceResponse::map_into_left_body)
        })
    }
}
