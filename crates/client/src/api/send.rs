//! Sends a request, and again where that is safe and useful.

use std::borrow::Cow;
use std::mem;
use std::time::Duration;

use super::error::{ApiError, parse};
use super::retry::{Failure, Retries};
use super::{Api, Secret};
use crate::transport::{Method, Request, Response};

/// Larger than any page of a list.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A request.
pub(super) struct Attempt<'a> {
    pub(super) method: Method,
    /// The path with its query.
    pub(super) path: Cow<'a, str>,
    pub(super) headers: Vec<(&'static str, &'a str)>,
    pub(super) body: Option<&'a [u8]>,
    /// Whether a second request does the same as one.
    pub(super) is_repeatable: bool,
    /// The time of all attempts; that of the client if `None`.
    pub(super) deadline: Option<Duration>,
}

/// The headers and the body of a response.
pub(super) struct Answer {
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(method: Method, path: impl Into<Cow<'a, str>>) -> Self {
        // RFC 9110 §9.2.2. PATCH is not idempotent.
        let is_repeatable = matches!(method, Method::Get | Method::Put | Method::Delete);
        Self { method, path: path.into(), headers: Vec::new(), body: None, is_repeatable, deadline: None }
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Sends a request with the credentials of the client, within the deadline.
pub(super) async fn send_authenticated(api: &Api, attempt: Attempt<'_>) -> Result<Answer, ApiError> {
    let deadline = attempt.deadline.unwrap_or(api.0.deadline);
    let sending = async {
        let bearer = api.0.credentials.bearer(api).await?;
        match (send_with_retries(api, &attempt, bearer.as_ref()).await, bearer) {
            // The session's token may have expired, or its key may have been withdrawn.
            (Err(ApiError::Refused(refusal)), Some(bearer)) if refusal.status == 401 => {
                match api.0.credentials.replace(api, &bearer).await {
                    Some(bearer) => send_with_retries(api, &attempt, Some(&bearer)).await,
                    None => Err(ApiError::Refused(refusal)),
                }
            }
            (result, _) => result,
        }
    };
    tokio::time::timeout(deadline, sending).await.unwrap_or(Err(ApiError::DeadlineExceeded(deadline)))
}

/// Sends a request within the deadline of the client.
pub(super) async fn send(api: &Api, attempt: Attempt<'_>, bearer: Option<&Secret>) -> Result<Answer, ApiError> {
    let deadline = api.0.deadline;
    let sending = send_with_retries(api, &attempt, bearer);
    tokio::time::timeout(deadline, sending).await.unwrap_or(Err(ApiError::DeadlineExceeded(deadline)))
}

async fn send_with_retries(api: &Api, attempt: &Attempt<'_>, bearer: Option<&Secret>) -> Result<Answer, ApiError> {
    let mut retries = Retries::new(api.0.attempts, attempt.is_repeatable);
    loop {
        let Failure { error, is_processed } = match send_once(api, attempt, bearer).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let Some(pause) = retries.next(&error, is_processed) else { return Err(error) };
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            "request is repeated"
        );
        tokio::time::sleep(pause).await;
    }
}

async fn send_once(api: &Api, attempt: &Attempt<'_>, bearer: Option<&Secret>) -> Result<Answer, Failure> {
    let url = [api.0.server_url.as_str(), &attempt.path].concat();
    let request = Request {
        method: attempt.method,
        bearer: bearer.map(Secret::expose),
        headers: &attempt.headers,
        json: attempt.body,
        ..Request::get(&url, "application/json")
    };
    let mut response = api.0.transport.send(request).await.map_err(Failure::unknown)?;
    let (status, headers) = (response.status, mem::take(&mut response.headers));
    let answer = Answer { headers, body: read(response).await.map_err(Failure::unknown)? };
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    let retry_after = answer.header("retry-after").and_then(|value| value.parse().ok()).map(Duration::from_secs);
    // The rate limit applies before a request is processed. With other statuses, a proxy may have forwarded it.
    let is_processed = status != 429;
    Err(Failure { error: parse(status, retry_after, &answer.body), is_processed })
}

async fn read(mut response: Response) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.body.chunk().await? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(ApiError::TooLarge(BODY_BYTES_MAX));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
