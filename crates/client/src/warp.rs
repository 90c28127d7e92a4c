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
use warp::reject::{Reject, Rejection, custom};
use warp::reply::Response;
use warp::{Filter, header};

use crate::claims::{Claims, User};
use crate::error::AuthError;
use crate::http_response::{self, authenticate};
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
        let claims = claims.ok_or(AuthError::MissingToken);
        ready(claims.and_then(|claims| policy.check(&claims).map(|()| claims)).map_err(custom))
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
        async move { authenticate(&verifier, &headers).await.map_err(custom) }
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
    http_response::response(error)
}
