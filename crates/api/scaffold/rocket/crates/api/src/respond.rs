//! Errors as responses of Rocket.

use rocket::http::{Header, Status};
use rocket::response::{Responder, Response};
use rocket::serde::json::Json;
use rocket::{Catcher, Request, catch, catchers};

use crate::error::ApiError;
use crate::guards::status;

impl<'r> Responder<'r, 'static> for ApiError {
    fn respond_to(self, request: &'r Request<'_>) -> rocket::response::Result<'static> {
        let mut response = Response::build_from(Json(self.body()).respond_to(request)?);
        response.status(status(&self));
        // `AuthFairing` adds the challenge, which clients need to sign in or to step up.
        if matches!(self, Self::Auth(_)) {
            response.header(Header::new("Cache-Control", "no-store"));
        }
        response.ok()
    }
}

/// Responds to requests that no route accepted.
pub(crate) fn catchers() -> Vec<Catcher> {
    catchers![not_found, method_not_allowed, other]
}

#[catch(404)]
fn not_found() -> ApiError {
    ApiError::NoSuchPath
}

#[catch(405)]
fn method_not_allowed() -> ApiError {
    ApiError::NoSuchMethod
}

#[catch(default)]
fn other(status: Status, _: &Request<'_>) -> (Status, &'static str) {
    (status, status.reason_lossy())
}
