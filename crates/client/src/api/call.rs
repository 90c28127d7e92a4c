//! A request that is sent when it is awaited.

use std::fmt::Write;
use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::pages::List;
use super::prelude::encode;
use super::send::{Answer, Attempt, send_authenticated};
use super::{Api, ApiError};
use crate::transport::{BoxFuture, Method};

/// A request to the API. It is sent when it is awaited.
#[derive(Debug)]
#[must_use = "a call is sent when it is awaited"]
pub struct Call<'a, T> {
    pub(super) api: &'a Api,
    pub(super) parts: Parts,
    result: PhantomData<fn() -> T>,
}

/// The request.
#[derive(Debug)]
pub(super) struct Parts {
    method: Method,
    path: String,
    pub(super) query: Vec<(&'static str, String)>,
    body: Option<Result<Vec<u8>, serde_json::Error>>,
    if_match: Option<String>,
    idempotency_key: Option<String>,
    deadline: Option<Duration>,
}

impl<'a, T> Call<'a, T> {
    pub(super) fn new(api: &'a Api, method: Method, path: String) -> Self {
        let parts = Parts {
            method,
            path,
            query: Vec::new(),
            body: None,
            if_match: None,
            idempotency_key: None,
            deadline: None,
        };
        Self { api, parts, result: PhantomData }
    }

    pub(super) fn query(mut self, query: Vec<(&'static str, String)>) -> Self {
        self.parts.query = query;
        self
    }

    pub(super) fn body(mut self, body: &impl Serialize) -> Self {
        self.parts.body = Some(serde_json::to_vec(body));
        self
    }

    /// With an idempotency key of its own, it can be repeated.
    pub(super) fn repeatable(mut self) -> Self {
        self.parts.idempotency_key = Some(random_key());
        self
    }

    pub(super) fn pages(self, limit_max: u32) -> List<'a, T> {
        List::new(self.api, self.parts, limit_max)
    }

    /// Sets the `Idempotency-Key`: a request with the same key and body is executed once within 24 hours, and its
    /// response is repeated. Without it, each call has a key of its own, which protects its retries. Operations that take
    /// no key ignore it.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        if self.parts.idempotency_key.is_some() {
            self.parts.idempotency_key = Some(key.into());
        }
        self
    }

    /// Fails with status 412 if the object has another version than this: the ETag of [`Self::with_etag`].
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        self.parts.if_match = Some(etag.into());
        self
    }

    /// The maximum time of this call with all attempts.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.parts.deadline = Some(deadline);
        self
    }

    /// Sends the request. Returns the version of the object, too, if it has one.
    pub async fn with_etag(self) -> Result<(T, Option<String>), ApiError>
    where
        T: DeserializeOwned,
    {
        let answer = self.parts.send(self.api).await?;
        let etag = answer.header("etag").map(ToOwned::to_owned);
        Ok((decode(&answer)?, etag))
    }
}

impl Parts {
    pub(super) async fn send(&self, api: &Api) -> Result<Answer, ApiError> {
        let mut path = self.path.clone();
        for (index, (name, value)) in self.query.iter().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            // Writing to a string cannot fail.
            let _ = write!(path, "{separator}{name}={}", encode(value));
        }
        let mut attempt = Attempt::new(self.method, path);
        attempt.deadline = self.deadline;
        attempt.body = match &self.body {
            None => None,
            Some(Ok(body)) => Some(body),
            Some(Err(error)) => return Err(ApiError::Json(serde::ser::Error::custom(error))),
        };
        if let Some(etag) = &self.if_match {
            attempt.headers.push(("if-match", etag));
            // If the response to a change is lost, the second request would find another version.
            attempt.is_repeatable = false;
        }
        if let Some(key) = &self.idempotency_key {
            attempt.headers.push(("idempotency-key", key));
            attempt.is_repeatable = true;
        }
        send_authenticated(api, attempt).await
    }
}

/// Without a body, `()` and `None`.
pub(super) fn decode<T: DeserializeOwned>(answer: &Answer) -> Result<T, ApiError> {
    let body = if answer.body.is_empty() { b"null" } else { answer.body.as_slice() };
    Ok(serde_json::from_slice(body)?)
}

impl<'a, T: DeserializeOwned + 'a> IntoFuture for Call<'a, T> {
    type Output = Result<T, ApiError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { decode(&self.parts.send(self.api).await?) })
    }
}

/// 128 random bits.
#[expect(clippy::disallowed_methods, reason = "a key that no test depends on")]
fn random_key() -> String {
    let mut bytes = [0; 16];
    // If the system has no randomness, the requests fail anyway: TLS needs it, too.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
