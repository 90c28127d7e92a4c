//! Filters for [warp](https://docs.rs/warp) 0.4.
//!
//! A refusal is a rejection with an [`AuthError`]. Add [`recover`] to respond to it, or find it in your own handler with
//! `rejection.find::<AuthError>()`.
//!
//! ```
//! use denizen_client::{User, Verifier, warp::{recover, user}};
//! use warp::Filter;
//!
//! let verifier = Verifier::builder("https://accounts.example.com").audience("denizen").build()?;
//! let me = warp::path!("me").and(user(verifier)).map(|user: User| user.id().to_string());
//! let routes = me.recover(recover);
//! # let _ = routes;
//! # Ok::<(), denizen_client::BuildError>(())
//! ```

use std::future::{Ready, ready};

use http::HeaderMap;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use warp::reject::{Reject, Rejection, custom};
use warp::reply::{Reply, Response};
use warp::{Filter, header};

use crate::claims::{Claims, User};
use crate::error::AuthError;
use crate::policy::Policy;
use crate::verifier::Verifier;

impl Reject for AuthError {}

/// The claims of a token that meets a policy.
#[must_use]
pub fn require(
    verifier: Verifier,
    policy: Policy,
) -> impl Filter<Extract = (Claims,), Error = Rejection> + Clone + Send + Sync + 'static {
    identify(verifier).and_then(move |claims: Option<Claims>| {
        let outcome = policy.admit(&Ok(claims.clone()));
        ready(match (outcome, claims) {
            (Ok(()), Some(claims)) => Ok(claims),
            (Ok(()), None) => Err(custom(AuthError::MissingToken)),
            (Err(error), _) => Err(custom(error)),
        })
    })
}

/// The signed-in user.
#[must_use]
pub fn user(verifier: Verifier) -> impl Filter<Extract = (User,), Error = Rejection> + Clone + Send + Sync + 'static {
    require(verifier, Policy::user()).and_then(|claims: Claims| ready(User::try_from(claims).map_err(custom)))
}

/// The signed-in user, or `None` without a token. A token that is not valid is refused.
#[must_use]
pub fn optional_user(
    verifier: Verifier,
) -> impl Filter<Extract = (Option<User>,), Error = Rejection> + Clone + Send + Sync + 'static {
    identify(verifier).and_then(|claims: Option<Claims>| ready(claims.map(User::try_from).transpose().map_err(custom)))
}

/// The claims of a valid token, or `None` without a token. A token that is not valid is refused.
#[must_use]
pub fn identify(
    verifier: Verifier,
) -> impl Filter<Extract = (Option<Claims>,), Error = Rejection> + Clone + Send + Sync + 'static {
    header::headers_cloned().and_then(move |headers: HeaderMap| {
        let verifier = verifier.clone();
        async move {
            let values = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
            verifier.authenticate(values).await.map_err(custom)
        }
    })
}

/// Responds to a refusal: status, `WWW-Authenticate`, `Retry-After` and a JSON body. Passes on other rejections.
///
/// # Errors
/// The rejection, if it is not a refusal of this crate.
pub fn recover(rejection: Rejection) -> Ready<Result<Response, Rejection>> {
    ready(rejection.find::<AuthError>().map(response).ok_or(rejection))
}

/// The response to a refusal.
#[must_use]
pub fn response(error: &AuthError) -> Response {
    let status = http::StatusCode::from_u16(error.status()).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = warp::reply::with_status(error.to_json(), status).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(challenge) = error.challenge().and_then(|challenge| HeaderValue::try_from(challenge).ok()) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = error.retry_after_s() {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}
