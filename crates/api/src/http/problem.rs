//! From an outcome to the one error shape of REST.
//!
//! A [`Problem`] travels as an extension of an empty response; the outermost middleware, which knows the
//! request id, writes the body. So every error has one shape, wherever it arose.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use denizen_domain::error::FieldError;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::oauth2;
use super::shape::Shape;

/// An error on its way to the client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Problem {
    status: u16,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    fields: Vec<ProblemField>,
    retry_after_s: Option<u32>,
    challenge: Option<Cow<'static, str>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ProblemField {
    field: String,
    code: Cow<'static, str>,
    message: String,
}

/// The body of all errors except those below `/oauth2/`.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody<'a> {
    error: ErrorDetail<'a>,
}

/// Error details.
#[derive(Serialize, ToSchema)]
struct ErrorDetail<'a> {
    /// The HTTP status.
    #[schema(example = 409, minimum = 400, maximum = 599)]
    status: u16,
    /// A stable error code.
    #[schema(example = "email_taken")]
    code: &'a str,
    /// Human-readable message; may change between releases.
    #[schema(example = "Another user already has this email address.")]
    message: &'a str,
    /// The id of the request, as in the server logs.
    #[schema(example = "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e")]
    request_id: &'a str,
    /// The invalid fields, if the error concerns fields.
    fields: Vec<FieldDetail<'a>>,
}

/// An invalid field.
#[derive(Serialize, ToSchema)]
struct FieldDetail<'a> {
    /// The path of the field in the request.
    #[schema(example = "email")]
    field: &'a str,
    /// A stable error code.
    #[schema(example = "taken")]
    code: &'a str,
    /// The expected value.
    #[schema(example = "must not be another user's address")]
    message: &'a str,
}

impl Problem {
    /// An error with a code of the catalogue in `docs/errors.md`.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: status.as_u16(),
            code: code.into(),
            message: message.into(),
            fields: Vec::new(),
            retry_after_s: None,
            challenge: None,
        }
    }

    /// Bad input in these fields.
    pub(crate) fn invalid(fields: Vec<FieldError>) -> Self {
        let message = "The input is invalid; see fields.";
        Self::new(StatusCode::BAD_REQUEST, "invalid_input", message).with_fields(fields)
    }

    /// An error that says nothing about the inside.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal server error.")
    }

    /// More work is offered than can be done.
    pub(crate) fn overloaded(retry_after_s: u32) -> Self {
        let message = "The server is overloaded. Retry later.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message).retry_after(retry_after_s)
    }

    /// One client has too much under way.
    pub(crate) fn too_many_at_once(retry_after_s: u32) -> Self {
        let message = "Too many concurrent requests from this address. Wait until some of them complete.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message).retry_after(retry_after_s)
    }

    /// The same, worth trying again after a while.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The problem of an error response that did not come with one, from its status alone.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new(status, "route_not_found", "There is no resource at this URL."),
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::new(status, "method_not_allowed", "The method is not allowed for this URL; see the Allow header.")
            }
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::new(status, "unsupported_media_type", "Send application/json."),
            _ if status.is_client_error() => Self::new(status, "bad_request", "The request is not valid."),
            _ => Self { status: status.as_u16(), ..Self::internal() },
        }
    }

    /// The body is over its bound.
    pub(crate) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The request body is too large.")
    }

    /// The body cannot be read.
    pub(crate) fn unreadable() -> Self {
        let message = "The request body was incomplete or could not be read.";
        Self::new(StatusCode::BAD_REQUEST, "unreadable_body", message)
    }

    /// An upload in batches ended before its time.
    pub(crate) fn broken_off(how: &str) -> Self {
        let message = format!("The upload {how}; the lines before it may have been imported.");
        Self::new(StatusCode::BAD_REQUEST, "unreadable_body", message)
    }

    /// The code of the catalogue.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The same, to be kept.
    pub(crate) fn shared_code(&self) -> Cow<'static, str> {
        self.code.clone()
    }

    /// The status over HTTP.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// What went wrong, for a person.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// When it is worth trying again, in seconds.
    pub(crate) fn retry_after_s(&self) -> Option<u32> {
        self.retry_after_s
    }

    /// Field, code and message of each field at fault.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.fields.iter().map(|at| (at.field.as_str(), at.code.as_ref(), at.message.as_str()))
    }

    /// What is wrong, on one line: each field at fault, if fields are.
    pub(crate) fn line(&self) -> String {
        let fields: Vec<_> = self.fields.iter().map(|at| format!("{} {}", at.field, at.message)).collect();
        if fields.is_empty() { self.message.to_string() } else { fields.join("; ") }
    }

    /// Writes the body and the headers that go with it.
    pub(crate) fn render(&self, response: Response, shape: Shape, request_id: &str) -> Response {
        let body = match shape {
            Shape::Own | Shape::Grpc(_) => self.own_body(request_id),
            Shape::OAuth => oauth2::error_body(response.status(), &self.code, &self.line()),
        };
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(http::header::CONTENT_LENGTH);
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Response::from_parts(parts, body.into())
    }

    fn own_body(&self, request_id: &str) -> Vec<u8> {
        let fields = self.fields.iter();
        let body = ErrorBody {
            error: ErrorDetail {
                status: self.status,
                code: &self.code,
                message: &self.message,
                request_id,
                fields: fields
                    .map(|at| FieldDetail { field: &at.field, code: &at.code, message: &at.message })
                    .collect(),
            },
        };
        serde_json::to_vec(&body).expect("strings serialise")
    }

    fn with_fields(mut self, fields: Vec<FieldError>) -> Self {
        self.fields = fields
            .into_iter()
            .map(|at| ProblemField { field: at.field, code: at.code.into(), message: at.message })
            .collect();
        self
    }

    pub(super) fn with_field(self, field: &str, code: &'static str, message: &str) -> Self {
        self.with_fields(vec![FieldError::new(field, code, message)])
    }

    /// The same, with what `WWW-Authenticate` is to say.
    pub(super) fn challenged(mut self, challenge: &'static str) -> Self {
        self.challenge = Some(challenge.into());
        self
    }
}

impl From<Vec<FieldError>> for Problem {
    fn from(fields: Vec<FieldError>) -> Self {
        Self::invalid(fields)
    }
}

impl From<FieldError> for Problem {
    fn from(field: FieldError) -> Self {
        Self::invalid(vec![field])
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// An error and what caused it, on one line: for the log, once, at the edge.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
