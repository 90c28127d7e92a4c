//! What every call over gRPC passes besides: is it one, how long may it take, what does its head say?

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use denizen_domain::error::FieldError;
use denizen_proto::{CLIENT_STREAMING_METHODS, STREAMING_METHODS};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::time::timeout;
use tonic::Status;

use super::auth::Presented;
use super::exchange::Exchange;
use super::request_id::RequestId;
use super::upload;
use crate::grpc::status::Refusal;
use crate::http::Shared;
use crate::http::problem::Problem;

const GRPC: &str = "application/grpc";
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";
const REFLECTION: &str = "/grpc.reflection.";
const EVENT_SERVICE: &str = "/denizen.v1.EventService/";

/// What the head of a call says, as an extension. What comes after the message, in trailers, does not count.
#[derive(Clone)]
pub(crate) struct Head {
    /// Names the call.
    pub(crate) request_id: RequestId,
    /// Who asks.
    pub(crate) presented: Presented,
    /// How long the caller waits (`grpc-timeout`), if they say so.
    pub(crate) patience: Option<Duration>,
    /// The request, which must not last for as long as a stream of its response keeps this.
    pub(crate) exchange: Weak<Exchange>,
}

/// In which form of gRPC a request speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// gRPC over HTTP/2.
    Plain,
    /// gRPC-web.
    Web,
    /// gRPC-web in base64.
    WebText,
}

impl Dialect {
    /// The dialect of a request that is a call.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?.strip_prefix(GRPC)?;
        let rest_of =
            |name: &str| kind.strip_prefix(name).filter(|rest| rest.is_empty() || rest.starts_with(['+', ';']));
        if rest_of("-web-text").is_some() {
            Some(Self::WebText)
        } else if rest_of("-web").is_some() {
            Some(Self::Web)
        } else {
            rest_of("").map(|_| Self::Plain)
        }
    }

    /// What its answers are.
    pub(crate) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Plain => "application/grpc",
            Self::Web => "application/grpc-web+proto",
            Self::WebText => "application/grpc-web-text+proto",
        })
    }
}

/// Whether a request is a call that follows events.
pub(super) fn is_followed(request: &Request) -> bool {
    let path = request.uri().path();
    path.starts_with(EVENT_SERVICE) && is_stream(path)
}

/// Whether the method streams requests or responses: its calls take as long as their streams.
fn is_stream(path: &str) -> bool {
    STREAMING_METHODS.contains(&path) || path == HEALTH_WATCH || path.starts_with(REFLECTION)
}

/// Whether the method streams requests: their messages are read one by one.
fn is_upload(path: &str) -> bool {
    CLIENT_STREAMING_METHODS.contains(&path) || path.starts_with(REFLECTION)
}

/// Whether the response is the refusal of a call: its head tells the status.
pub(super) fn is_refused(response: &Response) -> bool {
    response.headers().contains_key("grpc-status")
}

/// First, outside of what translates gRPC-web: only calls come in.
pub(super) async fn admit(request: Request, next: Next) -> Response {
    if request.method() == Method::POST && Dialect::of(request.headers()).is_some() {
        return next.run(request).await;
    }
    let message = "This endpoint requires gRPC or gRPC-Web: POST application/grpc.";
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message).into_response()
}

/// Then: how long may it take? When the time is over, what the call was doing is dropped, queued hashes and waits for
/// the database included. A stream is bounded by nobody but the caller.
pub(super) async fn take(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let Some(request_id) = request.extensions().get::<RequestId>().cloned() else {
        return Problem::internal().into_response();
    };
    let patience = match patience_of(request.headers()) {
        Ok(patience) => patience,
        Err(field) => return Refusal::from(field).into_response(request_id.as_str()),
    };
    let longest = Duration::from_secs(shared.limits.request_timeout_s.into());
    let bound = if is_stream(request.uri().path()) {
        patience
    } else {
        Some(patience.map_or(longest, |patience| patience.min(longest)))
    };
    let presented = Presented::of(&shared, &request);
    let exchange = request.extensions().get::<Arc<Exchange>>().map(Arc::downgrade).unwrap_or_default();
    request.extensions_mut().insert(Head { request_id: request_id.clone(), presented, patience, exchange });

    let answering = async {
        let received = if is_upload(request.uri().path()) {
            upload::enter(&shared, request)
        } else {
            upload::receive_call(&shared, request).await
        };
        match received {
            Ok((request, _place)) => next.run(request).await,
            Err(problem) => Refusal::from(problem).into_response(request_id.as_str()),
        }
    };
    let answered = match bound {
        Some(bound) => timeout(bound, answering).await.map_err(|_| Refusal::out_of_time()),
        None => Ok(answering.await),
    };
    answered.map_or_else(
        |refusal| refusal.into_response(request_id.as_str()),
        |response| in_our_words(response, request_id.as_str()),
    )
}

/// What the library answered by itself, with the details that every error has.
fn in_our_words(response: Response, request_id: &str) -> Response {
    let refusal = Status::from_header_map(response.headers()).as_ref().and_then(Refusal::of_library);
    refusal.map_or(response, |refusal| refusal.into_response(request_id))
}

/// `grpc-timeout`: at most eight digits and a unit.
fn patience_of(headers: &HeaderMap) -> Result<Option<Duration>, FieldError> {
    let Some(value) = headers.get(GRPC_TIMEOUT) else { return Ok(None) };
    let malformed = || FieldError::new("grpc-timeout", "malformed", "must be up to 8 digits and one of H M S m u n");
    let text = value.to_str().map_err(|_| malformed())?;
    let (digits, unit) = text.split_at_checked(text.len().wrapping_sub(1)).ok_or_else(malformed)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }
    let number: u64 = digits.parse().map_err(|_| malformed())?;
    Ok(Some(match unit {
        "H" => Duration::from_secs(number * 60 * 60),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return Err(malformed()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<Duration>) {
        let headers = HeaderMap::from_iter([(GRPC_TIMEOUT, text.parse().unwrap())]);
        assert_eq!(patience_of(&headers).ok().flatten(), expected, "{text}");
    }

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        check("1S", Some(Duration::from_secs(1)));
        check("99999999H", Some(Duration::from_hours(99_999_999)));
        check("250m", Some(Duration::from_millis(250)));
        check("0n", Some(Duration::ZERO));
        for malformed in ["", "S", "1", "1s", "-1S", "+1S", "123456789S", "1.5S", "1 S"] {
            check(malformed, None);
        }
        assert_eq!(patience_of(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn streams_have_no_deadline_of_the_server() {
        let check =
            |path: &str, expected: (bool, bool)| assert_eq!((is_stream(path), is_upload(path)), expected, "{path}");
        check("/denizen.v1.UserService/GetUser", (false, false));
        check("/denizen.v1.UserService/ExportUsers", (true, false));
        check("/denizen.v1.UserService/ImportUsers", (true, true));
        check("/denizen.v1.EventService/Follow", (true, true));
        check("/denizen.v1.EventService/WatchRevocations", (true, false));
        check("/grpc.health.v1.Health/Check", (false, false));
        check("/grpc.health.v1.Health/Watch", (true, false));
        check("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", (true, true));
    }

    #[test]
    fn a_call_is_known_by_its_media_type() {
        for (kind, is_call) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc-web", true),
            ("application/grpc-web-text+proto", true),
            ("application/grpcx", false),
            ("application/json", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
            assert_eq!(Dialect::of(&headers).is_some(), is_call, "{kind}");
        }
    }
}
