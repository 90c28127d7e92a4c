//! HTTP as an input: how keys are fetched and the revocation feed is read.

mod fetch;
#[cfg(feature = "reqwest")]
mod reqwest;

use std::error::Error;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::BuildError;

pub(crate) use self::fetch::{FetchError, fetch};
#[cfg(feature = "reqwest")]
pub use self::reqwest::ReqwestTransport;

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An HTTP client.
///
/// Implement it to use your own HTTP client, or to answer in tests. An implementation must not follow redirects to
/// other hosts and must not decompress without a limit; the size of bodies and the total time are limited by the caller.
///
/// ```
/// use denizen_client::transport::{BoxFuture, Request, Response, Transport, TransportError};
///
/// /// Serves one document at every URL.
/// #[derive(Debug)]
/// struct OneDocument(&'static str);
///
/// impl Transport for OneDocument {
///     fn send<'a>(&'a self, _: Request<'a>) -> BoxFuture<'a, Result<Response, TransportError>> {
///         Box::pin(async { Ok(Response::full(200, "application/json", self.0)) })
///     }
/// }
/// ```
pub trait Transport: Debug + Send + Sync + 'static {
    /// Sends the request and returns the head of the response. The body is read in chunks.
    fn send<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Response, TransportError>>;
}

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Method {
    /// The method as it is sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The absolute URL.
    pub url: &'a str,
    /// The value of `Accept`.
    pub accept: &'a str,
    /// The bearer token for `Authorization`. Must not be logged.
    pub bearer: Option<&'a str>,
    /// Further headers, with names in lower case.
    pub headers: &'a [(&'static str, &'a str)],
    /// The body, a JSON document.
    pub json: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    pub(crate) fn get(url: &'a str, accept: &'a str) -> Self {
        Self { method: Method::Get, url, accept, bearer: None, headers: &[], json: None }
    }
}

impl Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("method", &self.method).field("url", &self.url).finish_non_exhaustive()
    }
}

/// The head of a response, and its body.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The value of `Content-Type`; empty if absent.
    pub content_type: String,
    /// The headers, with names in lower case. Values that are not text are left out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Box<dyn Body>,
}

impl Response {
    /// A response whose body is complete.
    pub fn full(status: u16, content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let body = Box::new(Full(Some(body.into())));
        Self { status, content_type: content_type.into(), headers: Vec::new(), body }
    }

    /// Whether the media type is one of these, ignoring parameters and case.
    pub(crate) fn has_media_type(&self, expected: &[&str]) -> bool {
        let media_type = self.content_type.split(';').next().unwrap_or_default().trim();
        expected.iter().any(|expected| media_type.eq_ignore_ascii_case(expected))
    }
}

impl Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// The body of a response, read in chunks.
pub trait Body: Send {
    /// The next chunk; `None` at the end. Dropping the future must not lose data.
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>>;
}

struct Full(Option<Bytes>);

impl Body for Full {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        Box::pin(std::future::ready(Ok(self.0.take())))
    }
}

/// A request that got no response, or a body that broke off.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP request failed")]
pub struct TransportError(#[source] Box<dyn Error + Send + Sync>);

impl TransportError {
    /// Wraps the error of an HTTP client.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// The transport that was set, or that of the feature `reqwest`.
pub(crate) fn transport_or_default(transport: Option<Arc<dyn Transport>>) -> Result<Arc<dyn Transport>, BuildError> {
    if let Some(transport) = transport {
        return Ok(transport);
    }
    #[cfg(feature = "reqwest")]
    {
        let transport = ReqwestTransport::new().map_err(BuildError::Transport)?;
        Ok(Arc::new(transport))
    }
    #[cfg(not(feature = "reqwest"))]
    Err(BuildError::NoTransport)
}
