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

use crate::feed::Over;
use crate::http::events::follow::status_of;
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

/// When it is worth following anew, in seconds: another node is there at once, and a database soon.
const FOLLOW_AGAIN_AFTER_S: u32 = 1;

impl Refusal {
    /// The time of the call is over.
    pub(crate) fn out_of_time() -> Self {
        let message = "The request took too long and was canceled.";
        let problem = Problem::new(http::StatusCode::SERVICE_UNAVAILABLE, "timeout", message);
        Self { code: Code::DeadlineExceeded, problem }
    }

    /// The server is stopping; another one goes on.
    pub(super) fn stopping() -> Self {
        let message = "The server is shutting down. Retry with another server.";
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

    /// The code of the call.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// The status, in the name of a request.
    pub(crate) fn into_status(self, request_id: &str) -> Status {
        self.status(request_id, HashMap::new())
    }

    /// The same for one who follows, with where to go on.
    pub(super) fn into_status_at(self, request_id: &str, cursor: String) -> Status {
        self.status(request_id, HashMap::from([("cursor".to_owned(), cursor)]))
    }

    fn status(self, request_id: &str, metadata: HashMap<String, String>) -> Status {
        let Self { code, problem } = self;
        let mut details = ErrorDetails::new();
        details.set_error_info(problem.code(), DOMAIN, metadata).set_request_info(request_id, "");
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
    Problem::new(http::StatusCode::NOT_FOUND, "route_not_found", "The method does not exist, or not in this encoding.")
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
            408 => Code::DeadlineExceeded,
            413 | 429 | 431 => Code::ResourceExhausted,
            503 if problem.code() == "timeout" => Code::DeadlineExceeded,
            503 => Code::Unavailable,
            500..=599 => Code::Internal,
            _ => Code::InvalidArgument,
        };
        Self { code, problem }
    }
}

impl From<Over> for Refusal {
    fn from(over: Over) -> Self {
        let problem = Problem::new(status_of(over), over.code(), over.message());
        let (code, problem) = match over {
            Over::Stopping | Over::Unavailable => (Code::Unavailable, problem.retry_after(FOLLOW_AGAIN_AFTER_S)),
            Over::TooChatty => (Code::ResourceExhausted, problem.retry_after(FOLLOW_AGAIN_AFTER_S)),
            Over::TooSlow => (Code::ResourceExhausted, problem),
            Over::Unauthenticated => (Code::Unauthenticated, problem),
            Over::Forbidden => (Code::PermissionDenied, problem),
            Over::CursorExpired => (Code::OutOfRange, problem),
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
        Error::Forbidden
        | Error::NotHeld
        | Error::StepUpRequired
        | Error::SignupClosed
        | Error::EmailUnverified
        | Error::VerificationRequired
        | Error::HookRefused(_)
        | Error::NotOffered => Code::PermissionDenied,
        Error::NotFound(_) => Code::NotFound,
        Error::Conflict(conflict) => code_of_conflict(*conflict),
        Error::Stale => Code::Aborted,
        Error::CursorExpired => Code::OutOfRange,
        Error::TooManyRequests { .. } => Code::ResourceExhausted,
        Error::ProviderUnavailable { .. }
        | Error::HookFailed { .. }
        | Error::Overloaded { .. }
        | Error::Store(StoreError::Unavailable(_)) => Code::Unavailable,
        Error::Store(StoreError::Broken(_)) | Error::Internal(_) => Code::Internal,
    }
}

fn code_of_conflict(conflict: Conflict) -> Code {
    match conflict {
        Conflict::EmailTaken
        | Conflict::RoleNameTaken
        | Conflict::ProviderNameTaken
        | Conflict::IdentityTaken
        | Conflict::PasskeyTaken => Code::AlreadyExists,
        Conflict::LastAdmin
        | Conflict::RoleInUse
        | Conflict::RoleBuiltIn
        | Conflict::TooManyApiKeys
        | Conflict::TooManyWebhooks
        | Conflict::TooManyIdentities
        | Conflict::TooManyProviders
        | Conflict::ProviderTokensGone
        | Conflict::ProviderConfigured
        | Conflict::LinkRequired
        | Conflict::TooManyPasskeys
        | Conflict::PasskeyRequired
        | Conflict::LastWayIn
        | Conflict::SigningBySecret
        | Conflict::SecondFactorPresent
        | Conflict::IdempotencyKeyReused => Code::FailedPrecondition,
        Conflict::IdempotencyInProgress => Code::Aborted,
    }
}

#[cfg(test)]
mod tests {
    use denizen_domain::error::{GrantError, Resource, Unauthenticated};

    use super::*;

    fn check(refusal: impl Into<Refusal>, code: Code, reason: &str, retry_after_s: Option<u64>) {
        let status = refusal.into().into_status("the-request");
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((status.code(), info.reason.as_str(), info.domain.as_str()), (code, reason, DOMAIN));
        assert_eq!(details.request_info().unwrap().request_id, "the-request");
        let delay = details.retry_info().and_then(|retry| retry.retry_delay);
        assert_eq!(delay, retry_after_s.map(Duration::from_secs), "{reason}");
    }

    #[test]
    fn outcomes_become_canonical_codes() {
        check(Error::Unauthenticated(Unauthenticated::Missing), Code::Unauthenticated, "unauthenticated", None);
        check(Error::Forbidden, Code::PermissionDenied, "forbidden", None);
        check(Error::NotHeld, Code::PermissionDenied, "permission_not_held", None);
        check(Error::Grant(GrantError::InvalidScope), Code::InvalidArgument, "invalid_scope", None);
        check(Error::NotFound(Resource::User), Code::NotFound, "user_not_found", None);
        check(Error::Conflict(Conflict::EmailTaken), Code::AlreadyExists, "email_taken", None);
        check(Error::Conflict(Conflict::LastAdmin), Code::FailedPrecondition, "last_admin", None);
        check(Error::Stale, Code::Aborted, "stale", None);
        check(Error::CursorExpired, Code::OutOfRange, "cursor_expired", None);
        let spent = Error::TooManyRequests { retry_after_s: 7 };
        check(spent, Code::ResourceExhausted, "too_many_requests", Some(7));
        check(Error::Overloaded { retry_after_s: 3 }, Code::Unavailable, "overloaded", Some(3));
        check(Error::Store(StoreError::Unavailable("away".into())), Code::Unavailable, "database_unavailable", Some(2));
        check(Error::Store(StoreError::Broken("broken".into())), Code::Internal, "internal", None);
        check(Error::Internal("broken".into()), Code::Internal, "internal", None);
        check(Problem::too_large(), Code::ResourceExhausted, "body_too_large", None);
        check(Refusal::out_of_time(), Code::DeadlineExceeded, "timeout", None);
    }

    #[test]
    fn bytes_that_cannot_be_read_are_not_our_failure() {
        let words = |status: &Status| Refusal::of_library(status).map(|refusal| refusal.code);
        assert_eq!(words(&Status::internal("failed to decode")), Some(Code::InvalidArgument));
        assert_eq!(words(&Status::out_of_range("too large")), Some(Code::ResourceExhausted));
        assert_eq!(words(&Status::unimplemented("")), Some(Code::Unimplemented));
        assert_eq!(words(&Refusal::from(Error::Internal("ours".into())).into_status("x")), None);
    }
}
