//! Input of requests, with errors in the format of this API.

use rocket::data::{self, Data, FromData, ToByteUnit};
use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::request::{self, FromRequest, Request};
use serde::de::DeserializeOwned;

use crate::bodies::BODY_BYTES_MAX;
use crate::error::ApiError;

/// A body in JSON.
pub(crate) struct JsonBody<T>(pub(crate) T);

#[rocket::async_trait]
impl<'r, T: DeserializeOwned> FromData<'r> for JsonBody<T> {
    type Error = ApiError;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        match read(request, data).await {
            Ok(body) => Outcome::Success(Self(body)),
            Err(error) => Outcome::Error((status(&error), error)),
        }
    }
}

async fn read<T: DeserializeOwned>(request: &Request<'_>, data: Data<'_>) -> Result<T, ApiError> {
    if !request.content_type().is_some_and(|content_type| content_type.is_json()) {
        return Err(ApiError::UnsupportedMediaType);
    }
    let body = data.open(BODY_BYTES_MAX.bytes()).into_bytes().await;
    let body = body.map_err(|error| ApiError::Unreadable(error.to_string()))?;
    if !body.is_complete() {
        return Err(ApiError::TooLarge);
    }
    serde_json::from_slice(&body).map_err(|error| ApiError::Unreadable(error.to_string()))
}

/// The query.
pub(crate) struct QueryParams<T>(pub(crate) T);

#[rocket::async_trait]
impl<'r, T: DeserializeOwned> FromRequest<'r> for QueryParams<T> {
    type Error = ApiError;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, ApiError> {
        let query = request.uri().query().map_or("", |query| query.as_str());
        match serde_urlencoded::from_str(query) {
            Ok(params) => Outcome::Success(Self(params)),
            Err(error) => {
                let error = ApiError::Unreadable(error.to_string());
                Outcome::Error((status(&error), error))
            }
        }
    }
}

pub(crate) fn status(error: &ApiError) -> Status {
    Status::from_code(error.status()).unwrap_or(Status::InternalServerError)
}
