//! `Idempotency-Key`: a `POST` that is sent twice is done once.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use denizen_domain::Ctx;
use denizen_domain::error::FieldError;
use denizen_domain::idempotency::{self, Begun, IdempotentRequest};
use denizen_domain::ports::Vault;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, LINK, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};

use super::extract::read_problem;
use super::problem::{Chain, Problem};
use super::{Shared, oauth2, sign_in};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const KEY_BYTES_MAX: usize = 255;
/// The headers of an answer that belong to it.
const KEPT: [HeaderName; 5] = [CONTENT_TYPE, LOCATION, ETAG, CACHE_CONTROL, LINK];

/// An answer as it is kept, sealed under the master key.
#[derive(Serialize, Deserialize)]
struct KeptAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    problem: Option<Problem>,
}

/// Does a request with a key once, and replays its answer to whoever repeats it.
pub(crate) async fn pass(shared: &Shared, request: Request, next: Next) -> Response {
    let key = request.headers().get(KEY).filter(|_| is_replayable(&request)).cloned();
    match key {
        None => next.run(request).await,
        Some(key) => {
            // Boxed: most requests have no key, and should not carry the room that this takes.
            let once = Box::pin(once(Arc::clone(shared), key, request, next));
            once.await.unwrap_or_else(IntoResponse::into_response)
        }
    }
}

/// The routes of OAuth authenticate themselves, and must do so every time; what a token stands for is asked of now.
/// A refresh has a repetition of its own, which knows a token that is in two hands.
fn is_replayable(request: &Request) -> bool {
    let path = request.uri().path();
    request.method() == Method::POST && !oauth2::is_at(path) && path != sign_in::REFRESH
}

async fn once(shared: Shared, key: HeaderValue, request: Request, next: Next) -> Result<Response, Problem> {
    let is_visible = |byte: &u8| (0x21..=0x7e).contains(byte);
    if key.is_empty() || key.len() > KEY_BYTES_MAX || !key.as_bytes().iter().all(is_visible) {
        let message = "must be 1 to 255 visible ASCII characters";
        return Err(FieldError::new("Idempotency-Key", "malformed", message).into());
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| read_problem(&error))?.to_bytes();
    let identity = identify(shared.services.vault.as_ref(), &caller_of(&parts), key.as_bytes(), &parts, &body);

    match idempotency::begin(&shared.services, &identity).await? {
        Begun::Replay(answer) => replay(&answer),
        Begun::Proceed => {
            // On a task of its own: a client that leaves does not leave the work half recorded.
            let request = Request::from_parts(parts, Body::from(body));
            let span = tracing::Span::current();
            let work = tracing::Instrument::instrument(do_and_keep(shared, identity, request, next), span);
            tokio::spawn(work).await.map_err(|_| Problem::internal())
        }
    }
}

/// Who asks: a user is the same in every session, but a key that may do less must not get the answer that its owner
/// got.
fn caller_of(parts: &http::request::Parts) -> String {
    match parts.extensions.get::<Ctx>().and_then(|ctx| ctx.principal().ok()) {
        Some(who) if who.signed_in().is_some() => who.subject.to_string(),
        Some(who) => format!("{}/{}", who.subject, who.credential),
        // Strangers must not be answered by each other's keys: an answer tells whether a password was right.
        None => match parts.extensions.get::<Ctx>().and_then(|ctx| ctx.origin().client()) {
            Some(client) => format!("anonymous {client}"),
            None => "anonymous".to_owned(),
        },
    }
}

fn identify(
    vault: &dyn Vault,
    caller: &str,
    key: &[u8],
    parts: &http::request::Parts,
    body: &Bytes,
) -> IdempotentRequest {
    let who = [caller.as_bytes(), b"\0", key].concat();
    // Another version is another request.
    let version = parts.headers.get(IF_MATCH).map_or(&b""[..], HeaderValue::as_bytes);
    let what = [parts.uri.to_string().as_bytes(), b"\0", version, b"\0", body].concat();
    IdempotentRequest { key: vault.mac("idempotency key", &who), fingerprint: vault.mac("idempotent request", &what) }
}

async fn do_and_keep(shared: Shared, identity: IdempotentRequest, request: Request, next: Next) -> Response {
    let (parts, body) = next.run(request).await.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::new(),
    };
    // Who may have a cookie is asked each time: from which page do they come?
    let kept = if is_worth_keeping(parts.status) && !parts.headers.contains_key(SET_COOKIE) {
        let answer = KeptAnswer {
            status: parts.status.as_u16(),
            headers: kept_headers(&parts.headers),
            body: String::from_utf8_lossy(&body).into_owned(),
            problem: parts.extensions.get::<Problem>().cloned(),
        };
        let answer = serde_json::to_vec(&answer).expect("strings serialise");
        idempotency::finish(&shared.services, &identity, &answer).await
    } else {
        idempotency::forget(&shared.services, &identity).await
    };
    if let Err(error) = kept {
        // The work is done and acknowledged; only a repetition would not know of it.
        tracing::warn!(error = %Chain(&error), "an idempotent answer was not kept");
    }
    Response::from_parts(parts, Body::from(body))
}

/// What a repetition could do better is not kept: credentials, time, budgets and our own failures.
fn is_worth_keeping(status: StatusCode) -> bool {
    !status.is_server_error()
        && !matches!(
            status,
            StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::PRECONDITION_FAILED
                | StatusCode::TOO_MANY_REQUESTS
        )
}

fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let values = KEPT.iter().flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)));
    values.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}

fn replay(answer: &[u8]) -> Result<Response, Problem> {
    let answer: KeptAnswer = serde_json::from_slice(answer).map_err(|_| Problem::internal())?;
    let status = StatusCode::from_u16(answer.status).map_err(|_| Problem::internal())?;
    let plain = || (status, answer.body).into_response();
    let mut response = answer.problem.map_or_else(plain, IntoResponse::into_response);
    // The kept headers are all there are: that of a text, for one, is not what was answered.
    response.headers_mut().remove(CONTENT_TYPE);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
