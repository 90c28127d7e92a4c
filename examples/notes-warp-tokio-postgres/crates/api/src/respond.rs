//! Errors and rejections as responses of warp.

use std::convert::Infallible;

use denizen_client::AuthError;
use warp::body::BodyDeserializeError;
use warp::http::StatusCode;
use warp::reject::{InvalidQuery, LengthRequired, MethodNotAllowed, PayloadTooLarge, Rejection, UnsupportedMediaType};
use warp::reply::{Response, json, with_status};
use warp::{Reply, reject};

use crate::error::ApiError;

impl Reply for ApiError {
    fn into_response(self) -> Response {
        // With the challenge, which clients need to sign in or to step up.
        if let Self::Auth(error) = &self {
            return denizen_client::warp::response(error);
        }
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        with_status(json(&self.body()), status).into_response()
    }
}

/// Responds to what no route accepted. Each route rejects for a reason of its own, the most specific one is reported.
pub(crate) async fn recover(rejection: Rejection) -> Result<Response, Infallible> {
    Ok(reason(&rejection).into_response())
}

fn reason(rejection: &reject::Rejection) -> ApiError {
    if let Some(error) = rejection.find::<AuthError>() {
        ApiError::Auth(error.clone())
    } else if let Some(error) = rejection.find::<BodyDeserializeError>() {
        ApiError::Unreadable(error.to_string())
    } else if rejection.find::<InvalidQuery>().is_some() {
        ApiError::Unreadable("The query is invalid.".to_owned())
    } else if rejection.find::<PayloadTooLarge>().is_some() {
        ApiError::TooLarge
    } else if rejection.find::<LengthRequired>().is_some() {
        ApiError::Unreadable("Send a Content-Length.".to_owned())
    } else if rejection.find::<UnsupportedMediaType>().is_some() {
        ApiError::UnsupportedMediaType
    } else if rejection.find::<MethodNotAllowed>().is_some() {
        ApiError::NoSuchMethod
    } else {
        ApiError::NoSuchPath
    }
}
