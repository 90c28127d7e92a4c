//! A name for every request, in its answer, its log lines and its error.

use axum::response::Response;
use denizen_domain::id::uuid_v7;
use denizen_infra::clock::{SystemChance, SystemClock};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::grpc::status::Refusal;
use crate::http::account::error_page::ErrorPage;
use crate::http::oauth2;
use crate::http::problem::Problem;
use crate::http::shape::Shape;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const BYTES_MAX: usize = 128;

/// The id of a request, as an extension.
#[derive(Clone)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The id that the request brings, if it is harmless, else a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let taken = headers.get(X_REQUEST_ID).filter(|value| is_harmless(value.as_bytes())).cloned();
        Self(taken.unwrap_or_else(make))
    }

    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The answer with this id, and with the body of its error if it is one.
    pub(super) fn mark(self, mut response: Response, shape: Shape, page: Option<ErrorPage<'_>>) -> Response {
        if let Some(problem) = problem_of(&mut response) {
            response = match (shape, page) {
                (Shape::Grpc(dialect), _) => Refusal::from(problem).render(response, dialect, self.as_str()),
                (Shape::Own, Some(page)) => page.render(&problem, response, self.as_str()),
                (Shape::Own | Shape::OAuth, _) => problem.render(response, shape, self.as_str()),
            };
        }
        if let Shape::OAuth = shape {
            oauth2::forbid_storing(response.headers_mut());
        }
        response.headers_mut().insert(X_REQUEST_ID, self.0);
        response
    }
}

/// The problem of an error that a handler, an extractor or a library below has answered with.
fn problem_of(response: &mut Response) -> Option<Problem> {
    if !response.status().is_client_error() && !response.status().is_server_error() {
        return None;
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Some(problem);
    }
    let content_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if content_type.is_some_and(|kind| kind.starts_with(b"application/json")) {
        return None;
    }
    response.headers_mut().remove(CONTENT_LENGTH);
    Some(Problem::of_status(response.status()))
}

/// An id from outside goes into the log as it is: nothing that could forge a line or a field.
fn is_harmless(id: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
    (1..=BYTES_MAX).contains(&id.len()) && id.iter().all(is_plain)
}

fn make() -> HeaderValue {
    let mut buffer = uuid::Uuid::encode_buffer();
    let text = uuid_v7(&SystemClock, &SystemChance).as_hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(text).expect("a UUID is ASCII")
}
