//! Extractors for [Axum](https://docs.rs/axum) 0.8: [`User`], [`Claims`] and [`Authorized`], each also as `Option`.
//!
//! Add [`AuthLayer::identify`] to the router, and the extractor to the handlers that need a caller. `Option<User>` is
//! `None` without a token; a token that is not valid is refused. To respond to refused requests with an error of the
//! application, extract `Result<User, AuthError>`, or call the extractor in one of your own.
//!
//! ```
//! use axum::{Router, routing::get};
//! use denizen_client::{User, Verifier, axum::AuthLayer};
//!
//! async fn me(user: User) -> String {
//!     user.id().to_string()
//! }
//!
//! let verifier = Verifier::builder("https://accounts.example.com").audience("denizen").build()?;
//! let app: Router = Router::new().route("/me", get(me)).layer(AuthLayer::identify(verifier));
//! # let _ = app;
//! # Ok::<(), denizen_client::BuildError>(())
//! ```

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::claims::{Claims, User};
use crate::error::AuthError;
use crate::policy::{Authorized, OptionalUser, Requirement};
use crate::tower::{claims, response};

pub use crate::tower::{AuthLayer, AuthService, HttpRejection, OnRejection};

impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        response::<Body>(&self)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Claims {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, AuthError> {
        claims(&parts.extensions)
    }
}

impl<S: Sync> FromRequestParts<S> for Claims {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AuthError> {
        claims(&parts.extensions)?.ok_or(AuthError::MissingToken)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for User {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, AuthError> {
        claims(&parts.extensions)?.map(Self::try_from).transpose()
    }
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AuthError> {
        claims(&parts.extensions)?.ok_or(AuthError::MissingToken)?.try_into()
    }
}

impl<S: Sync> FromRequestParts<S> for OptionalUser {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AuthError> {
        Ok(Self(claims(&parts.extensions)?.map(User::try_from).transpose()?))
    }
}

impl<S: Sync, R: Requirement> FromRequestParts<S> for Authorized<R> {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AuthError> {
        Self::new(claims(&parts.extensions)?.ok_or(AuthError::MissingToken)?)
    }
}
