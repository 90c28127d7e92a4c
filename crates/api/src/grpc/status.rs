//! From an outcome to the status of a call, with the details of `google.rpc`.
//!
//! Code and text of an error are those of REST, from the one catalogue (`http::problem`); what is decided here is the
//! canonical code.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use denizen_domain::error::{Conflict, Error, FieldError};
use denizen_domain::store::StoreError;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::http::problem::Problem;
use crate::middleware::Dialect;

/// The domain of our reasons, for `google.rpc.ErrorInfo`.
const DOMAIN: &str = "denizen";

/// Why a call is not answered.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    code: Code,
    problem: Problem,
}

impl Refusal {
    /// The time of the call is over.
    pub(crate) fn out_of_time() -> Self {
        let message = "The call took too long and was given up.";
        let problem = Problem::new(http::StatusCode::SERVICE_UNAVAILABLE, "timeout", message);
        Self { code: Code::DeadlineExceeded, problem }
    }

    /// The server is stopping; another one goes on.
    pub(super) fn stopping() -> Self {
        let message = "The server is stopping; ask another one.";
        let problem = Problem::new(http::StatusCode::SERVICE_UNAVAILABLE, "stopping", message);
        Self { code: Code::Unavailable, problem }
    }

    /// What the library below says of a request that it could not read; `None` when the status is one of ours, or needs
    /// no other words.
    pub(crate) fn of_library(status: &Status) -> Option<Self> {
        if !status.details().is_empty() {
            return None;
        }
        match status.code() {
            // The bound is ours, and by the book it is this one.
            Code::OutOfRange | Code::ResourceExhausted => Some(Problem::too_large().into()),
            Code::Unimplemented => Some(Self { code: Code::Unimplemented, problem: not_served() }),
            // Bytes of a client are never our failure.
            Code::Internal | Code::Unknown | Code::DataLoss | Code::InvalidArgument | Code::Cancelled => {
                Some(Problem::unreadable().into())
            }
            _ => None,
        }
    }

    /// The status, in the name of a request.
    pub(crate) fn into_status(self, request_id: &str) -> Status {
        let Self { code, problem } = self;
        let mut details = ErrorDetails::new();
        details.set_error_info(problem.code(), DOMAIN, HashMap::new()).set_request_info(request_id, "");
        if let Some(seconds) = problem.retry_after_s() {
            details.set_retry_info(Some(Duration::from_secs(seconds.into())));
        }
        let violations: Vec<FieldViolation> = problem.fields().map(violation).collect();
        if !violations.is_empty() {
            details.set_bad_request(violations);
        }
        Status::with_error_details(code, problem.message(), details)
    }

    /// Makes an answer of what was answered over HTTP, to a caller who speaks a dialect that nothing translates any more.
    /// Its headers stay: some are for browsers.
    pub(crate) fn render(self, response: Response, dialect: Dialect, request_id: &str) -> Response {
        let (mut parts, _) = response.into_parts();
        let (ours, body) = self.into_response(request_id).into_parts();
        parts.status = ours.status;
        parts.headers.remove(CONTENT_LENGTH);
        parts.headers.extend(ours.headers);
        parts.headers.insert(CONTENT_TYPE, dialect.content_type());
        parts.extensions.extend(ours.extensions);
        Response::from_parts(parts, body)
    }

    /// The answer to a call whose method was not reached: nothing but trailers.
    pub(crate) fn into_response(self, request_id: &str) -> Response {
        self.into_status(request_id).into_http::<Body>()
    }
}

fn violation((field, code, message): (&str, &str, &str)) -> FieldViolation {
    let mut violation = FieldViolation::new(field, message);
    code.clone_into(&mut violation.reason);
    violation
}

fn not_served() -> Problem {
    Problem::new(http::StatusCode::NOT_FOUND, "route_not_found", "There is no such method, or not in this encoding.")
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = code_of(&error);
        Self { code, problem: error.into() }
    }
}

impl From<Problem> for Refusal {
    /// What no use case decided: a parser, a limit.
    fn from(problem: Problem) -> Self {
        let code = match problem.status() {
            // No route is no method; what is missing for want of a thing comes as an `Error`.
            404 | 405 => Code::Unimplemented,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            413 | 429 | 431 => Code::ResourceExhausted,
            503 if problem.code() == "timeout" => Code::DeadlineExceeded,
            503 => Code::Unavailable,
            500..=599 => Code::Internal,
            _ => Code::InvalidArgument,
        };
        Self { code, problem }
    }
}

impl From<FieldError> for Refusal {
    fn from(field: FieldError) -> Self {
        Problem::from(field).into()
    }
}

impl From<Vec<FieldError>> for Refusal {
    fn from(fields: Vec<FieldError>) -> Self {
        Problem::from(fields).into()
    }
}

/// The canonical code of every outcome.
fn code_of(error: &Error) -> Code {
    match error {
        Error::Invalid(_) | Error::Grant(_) => Code::InvalidArgument,
        Error::Unauthenticated(_) => Code::Unauthenticated,
        Error::Forbidden | Error::NotHeld => Code::PermissionDenied,
        Error::NotFound(_) => Code::NotFound,
        Error::Conflict(conflict) => code_of_conflict(*conflict),
        Error::Stale => Code::Aborted,
        Error::TooManyRequests { .. } => Code::ResourceExhausted,
        Error::Overloaded { .. } | Error::Store(StoreError::Unavailable(_)) => Code::Unavailable,
        Error::Store(StoreError::Broken(_)) | Error::Internal(_) => Code::Internal,
    }
}

fn code_of_conflict(conflict: Conflict) -> Code {
    match conflict {
        Conflict::EmailTaken | Conflict::RoleNameTaken => Code::AlreadyExists,
        Conflict::LastAdmin
        | Conflict::RoleInUse
        | Conflict::RoleBuiltIn
        | Conflict::TooManyApiKeys
        | Conflict::SigningBySecret
        | Conflict::IdempotencyKeyReused => Code::FailedPrecondition,
        Conflict::IdempotencyInProgress => Code::Aborted,
    }
}
