//! `Idempotency-Key`: a `POST` that is sent twice is done once.

mod running;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use denizen_domain::Ctx;
use denizen_domain::error::{Conflict, Error, FieldError};
use denizen_domain::idempotency::{self, DeferredCommit, Finished, IdempotentRequest, Share};
use denizen_domain::ports::Vault;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, LINK, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};

pub(crate) use running::Running;

use super::extract::read_problem;
use super::problem::{Chain, Problem};
use super::{Shared, oauth2};
use crate::middleware::Exchange;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const KEY_BYTES_MAX: usize = 255;
/// The headers of an answer that belong to it.
const KEPT: [HeaderName; 5] = [CONTENT_TYPE, LOCATION, ETAG, CACHE_CONTROL, LINK];

/// Paths whose answers hold tokens, challenges, tickets or second-factor secrets, or prove something at this moment: the
/// key is ignored. Repeating them replaces what the lost answer held, or is refused because it was used.
const IGNORED: [&str; 3] = ["/api/v1/sessions", "/api/v1/me/", "/api/v1/events/tickets"];
/// How the path ends whose answer holds a token of an outside provider: a repetition gets the current one.
const PROVIDER_TOKEN: &str = "/token";
/// Paths whose answers hold a secret that is shown once: only the credential that made it gets it again.
const SECRET: [&str; 2] = ["/api/v1/api-keys", "/api/v1/webhooks"];
/// What anonymous callers may repeat. No answer holds a credential, and none does more than once by itself: an address is
/// taken, a token used. Requests for mail are not among them: a replay would tell who has an account.
const ANONYMOUS: [&str; 5] = [
    "/api/v1/users",
    "/api/v1/invitations/accept",
    "/api/v1/password-resets/confirm",
    "/api/v1/email-verifications/confirm",
    "/api/v1/email-changes/confirm",
];

/// An answer as it is kept, sealed under the master key.
#[derive(Serialize, Deserialize)]
struct KeptAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    /// Written by the release before, which stored refusals too.
    #[serde(default)]
    problem: Option<Problem>,
}

/// Does a request with a key once, and replays its answer to repetitions.
pub(crate) async fn pass(shared: &Shared, request: Request, next: Next) -> Response {
    let key = request.headers().get(KEY).filter(|_| is_repeatable(&request)).cloned();
    match key {
        None => next.run(request).await,
        Some(key) => {
            // Boxed: most requests have no key, and should not carry the room that this takes.
            let once = Box::pin(once(Arc::clone(shared), key, request, next));
            once.await.unwrap_or_else(IntoResponse::into_response)
        }
    }
}

/// Whether the key of the request counts. The routes of OAuth authenticate themselves, and must do so every time; a
/// refresh has a repetition of its own.
fn is_repeatable(request: &Request) -> bool {
    let path = request.uri().path();
    let is_ignored = oauth2::is_at(path)
        || path.ends_with(PROVIDER_TOKEN)
        || IGNORED.iter().any(|ignored| path.starts_with(ignored));
    let is_known = request.extensions().get::<Ctx>().is_some_and(|ctx| ctx.principal().is_ok());
    request.method() == Method::POST && !is_ignored && (is_known || ANONYMOUS.contains(&path))
}

async fn once(shared: Shared, key: HeaderValue, request: Request, next: Next) -> Result<Response, Problem> {
    let is_visible = |byte: &u8| (0x21..=0x7e).contains(byte);
    if key.is_empty() || key.len() > KEY_BYTES_MAX || !key.as_bytes().iter().all(is_visible) {
        let message = "must be 1 to 255 visible ASCII characters";
        return Err(FieldError::new("Idempotency-Key", "malformed", message).into());
    }
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| read_problem(&error))?.to_bytes();
    // Absent only if a route is mounted outside the auth layer, which is a defect.
    let ctx = parts.extensions.remove::<Ctx>().ok_or_else(Problem::internal)?;
    let identity = identify(shared.services.vault.as_ref(), &ctx, key.as_bytes(), &parts, &body);

    if let Some(answer) = idempotency::find(&shared.services, &identity).await? {
        return replay(&answer);
    }
    let Some(entered) = shared.running.enter(identity.key) else {
        return Err(Error::Conflict(Conflict::IdempotencyInProgress).into());
    };
    // The request before it may have ended between the two.
    if let Some(answer) = idempotency::find(&shared.services, &identity).await? {
        return replay(&answer);
    }
    let deferred = Arc::new(DeferredCommit::default());
    parts.extensions.insert(ctx.deferring_commit(Arc::clone(&deferred)));
    let request = Request::from_parts(parts, Body::from(body));
    // On a task of its own: a client that disconnects does not undo work that is nearly done. The work is counted against
    // the client until it is done: disconnecting makes no room for more.
    let span = tracing::Span::current();
    let exchange = request.extensions().get::<Arc<Exchange>>().cloned();
    let work = async move {
        let _entered = (entered, exchange);
        do_and_store(&shared, &identity, &deferred, request, next).await
    };
    let work = tracing::Instrument::instrument(work, span);
    // A panic drops the deferred commit, which is rolled back.
    tokio::spawn(work).await.map_err(|_| Problem::internal())?
}

/// Identifies the caller with the key, and the request. A user is the same caller in every session, unless the answer
/// holds a secret; an API key that may do less must not get the answer that its owner got. Anonymous callers cannot be
/// distinguished, so that their key identifies the whole request: another request with the same key does not meet it.
fn identify(vault: &dyn Vault, ctx: &Ctx, key: &[u8], parts: &http::request::Parts, body: &Bytes) -> IdempotentRequest {
    // Another version is another request.
    let version = parts.headers.get(IF_MATCH).map_or(&b""[..], HeaderValue::as_bytes);
    let mut what = [parts.uri.to_string().as_bytes(), b"\0", version, b"\0", body].concat();
    let who = match ctx.principal() {
        Ok(who) => {
            let credential = format!("{}/{}", who.subject, who.credential);
            if SECRET.iter().any(|secret| parts.uri.path().starts_with(secret)) {
                what.extend_from_slice(credential.as_bytes());
            }
            let caller = if who.signed_in().is_some() { who.subject.to_string() } else { credential };
            [caller.as_bytes(), b"\0", key].concat()
        }
        Err(_) => [b"anonymous\0", key, b"\0", &what].concat(),
    };
    IdempotentRequest {
        key: vault.mac("idempotency key", &who),
        fingerprint: vault.mac("idempotent request", &what),
        share: Share::of(ctx),
    }
}

async fn do_and_store(
    shared: &Shared,
    identity: &IdempotentRequest,
    deferred: &DeferredCommit,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (parts, body) = next.run(request).await.into_parts();
    let body = body.collect().await.map_err(|_| Problem::internal())?.to_bytes();
    if !parts.status.is_success() && !deferred.is_pending() {
        // It may have been refused because another node has done it meanwhile.
        return match idempotency::find(&shared.services, identity).await {
            Ok(Some(answer)) => replay(&answer),
            Ok(None) | Err(_) => Ok(Response::from_parts(parts, Body::from(body))),
        };
    }
    let answer = answer_to_store(&parts, &body);
    match idempotency::finish(&shared.services, identity, deferred, answer.as_deref()).await? {
        Finished::Replay(answer) => replay(&answer),
        Finished::Done(afterwards) => {
            if let Err(error) = afterwards {
                tracing::warn!(error = %Chain(&error), "background work of an idempotent request failed");
            }
            Ok(Response::from_parts(parts, Body::from(body)))
        }
    }
}

/// The answer as it is stored: a success only, and none that sets cookies. Which page may have a cookie is decided each
/// time.
fn answer_to_store(parts: &http::response::Parts, body: &Bytes) -> Option<Vec<u8>> {
    if !parts.status.is_success() || parts.headers.contains_key(SET_COOKIE) {
        return None;
    }
    let answer = KeptAnswer {
        status: parts.status.as_u16(),
        headers: kept_headers(&parts.headers),
        body: String::from_utf8_lossy(body).into_owned(),
        problem: None,
    };
    Some(serde_json::to_vec(&answer).expect("strings serialise"))
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
