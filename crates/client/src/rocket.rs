//! Request guards and a fairing for [Rocket](https://docs.rs/rocket) 0.5: [`User`], [`OptionalUser`], [`Claims`] and
//! [`Authorized`].
//!
//! Attach the [`AuthFairing`], which manages the verifier and adds `WWW-Authenticate` to refusals, and add the guard to
//! the routes that need a caller. `Option<User>` is `None` for every failure, also for an invalid token: use
//! [`OptionalUser`]. Bodies of refusals come from the catchers: register [`catchers`], or your own, which read the reason
//! with [`refusal`]. A guard `Result<User, AuthError>` leaves the response to the route.
//!
//! ```
//! use denizen_client::{User, Verifier, rocket::{AuthFairing, catchers}};
//! use rocket::{get, routes};
//!
//! #[get("/me")]
//! fn me(user: User) -> String {
//!     user.id().to_string()
//! }
//!
//! let verifier = Verifier::builder("https://accounts.example.com").audience("denizen").build()?;
//! let rocket = rocket::build().attach(AuthFairing::new(verifier)).mount("/", routes![me]).register("/", catchers());
//! # let _ = rocket;
//! # Ok::<(), denizen_client::BuildError>(())
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError};

use rocket::catcher::{BoxFuture, Catcher};
use rocket::fairing::{Fairing, Info, Kind, Result as FairingResult};
use rocket::http::{ContentType, Header, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::{Build, Request, Response, Rocket};

use crate::claims::{Claims, User};
use crate::error::AuthError;
use crate::policy::{Authorized, OptionalUser, Requirement};
use crate::verifier::Verifier;

/// Manages the verifier of the application, and adds `WWW-Authenticate` and `Retry-After` to refusals.
#[derive(Debug, Clone)]
pub struct AuthFairing(Verifier);

impl AuthFairing {
    /// A fairing for the guards of an application.
    #[must_use]
    pub fn new(verifier: Verifier) -> Self {
        Self(verifier)
    }
}

#[rocket::async_trait]
impl Fairing for AuthFairing {
    fn info(&self) -> Info {
        Info { name: "Denizen authentication", kind: Kind::Ignite | Kind::Response }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> FairingResult {
        Ok(rocket.manage(self.0.clone()))
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        // A route that accepted the failure of its guard responds with another status.
        let Some(error) = refusal(request).filter(|error| error.status() == response.status().code) else { return };
        if let Some(challenge) = error.challenge() {
            response.set_header(Header::new("WWW-Authenticate", challenge));
        }
        if let Some(seconds) = error.retry_after_s() {
            response.set_header(Header::new("Retry-After", seconds.to_string()));
        }
    }
}

/// The result of the authentication of a request, so that each token is verified once.
struct AuthResult(Result<Option<Claims>, AuthError>);

/// Why the last guard of a request failed: an earlier failure may have been accepted by its route.
#[derive(Default)]
struct Refusal(Mutex<Option<AuthError>>);

impl Refusal {
    fn of<'r>(request: &'r Request<'_>) -> MutexGuard<'r, Option<AuthError>> {
        request.local_cache(Self::default).0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a guard of this crate refused the request, for catchers: the reason of the last refusal, `None` if there was none.
///
/// ```
/// use denizen_client::rocket::refusal;
/// use rocket::{Request, catch, http::Status};
///
/// #[catch(default)]
/// fn failed(status: Status, request: &Request<'_>) -> String {
///     match refusal(request) {
///         Some(error) => format!("{}: {error}", error.code()),
///         None => status.to_string(),
///     }
/// }
/// # let _ = failed;
/// ```
#[must_use]
pub fn refusal(request: &Request<'_>) -> Option<AuthError> {
    Refusal::of(request).clone()
}

/// Catchers that respond to refusals with a JSON body, and to other errors of these statuses with the status alone.
#[must_use]
pub fn catchers() -> Vec<Catcher> {
    [Status::BadRequest, Status::Unauthorized, Status::Forbidden, Status::ServiceUnavailable]
        .into_iter()
        .map(|status| Catcher::new(status.code, catch))
        .collect()
}

fn catch<'r>(status: Status, request: &'r Request<'_>) -> BoxFuture<'r> {
    let mut response = Response::build();
    response.status(status);
    if let Some(error) = refusal(request).filter(|error| error.status() == status.code) {
        let body = error.to_json();
        response.header(ContentType::JSON).sized_body(body.len(), std::io::Cursor::new(body));
        response.raw_header("Cache-Control", "no-store");
    }
    let response = response.finalize();
    Box::pin(async move { Ok(response) })
}

async fn claims(request: &Request<'_>) -> Result<Option<Claims>, AuthError> {
    let result = request.local_cache_async(async {
        let Some(verifier) = request.rocket().state::<Verifier>() else {
            tracing::error!("a request guard needs the claims of a request, but no AuthFairing was attached");
            return AuthResult(Err(AuthError::NotConfigured));
        };
        AuthResult(verifier.authenticate(request.headers().get("authorization").map(str::as_bytes)).await)
    });
    result.await.0.clone()
}

fn outcome<T>(request: &Request<'_>, result: Result<T, AuthError>) -> Outcome<T, AuthError> {
    match result {
        Ok(guard) => Outcome::Success(guard),
        Err(error) => {
            *Refusal::of(request) = Some(error.clone());
            let status = Status::from_code(error.status()).unwrap_or(Status::InternalServerError);
            Outcome::Error((status, error))
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Claims {
    type Error = AuthError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, AuthError> {
        let result = claims(request).await;
        outcome(request, result.and_then(|claims| claims.ok_or(AuthError::MissingToken)))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for User {
    type Error = AuthError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, AuthError> {
        let result = claims(request).await;
        outcome(request, result.and_then(|claims| claims.ok_or(AuthError::MissingToken)?.try_into()))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for OptionalUser {
    type Error = AuthError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, AuthError> {
        let result = claims(request).await;
        outcome(request, result.and_then(|claims| Ok(Self(claims.map(User::try_from).transpose()?))))
    }
}

#[rocket::async_trait]
impl<'r, R: Requirement> FromRequest<'r> for Authorized<R> {
    type Error = AuthError;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, AuthError> {
        let result = claims(request).await;
        outcome(request, result.and_then(|claims| Self::new(claims.ok_or(AuthError::MissingToken)?)))
    }
}
