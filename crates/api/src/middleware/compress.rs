//! Compresses whole answers, in one go and in memory. Streams and large answers go out as they are: an encoder for each of
//! them would live, with its window, for as long as the client takes to read.

use axum::body::{Body, HttpBody};
use axum::response::Response;
use http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;

use crate::http::encoding::Encoding;

/// What a small answer costs to compress is more than what it saves.
const BYTES_MIN: u64 = 1024;
/// What is larger would keep a thread too long.
const BYTES_MAX: u64 = 256 * 1024;

/// The encoding that a client prefers for answers.
pub(super) fn accepted(headers: &HeaderMap) -> Option<Encoding> {
    Encoding::preferred(headers, &[Encoding::Zstd, Encoding::Brotli, Encoding::Gzip])
}

/// The answer in this encoding, if it is one that gains by it.
pub(super) async fn compress(encoding: Option<Encoding>, mut response: Response) -> Response {
    let size = response.body().size_hint().exact();
    let is_bounded = size.is_some_and(|bytes| (BYTES_MIN..=BYTES_MAX).contains(&bytes));
    if !is_bounded || !is_text(response.headers()) || response.headers().contains_key(CONTENT_ENCODING) {
        return response;
    }
    response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    let Some(encoding) = encoding else { return response };
    // Boxed: small answers, which are most, should not carry the room that this takes.
    Box::pin(async move {
        let (mut parts, body) = response.into_parts();
        let Ok(plain) = body.collect().await else { return Response::from_parts(parts, Body::empty()) };
        let plain = plain.to_bytes();
        let Ok(encoded) = encoding.encode(&plain) else { return Response::from_parts(parts, Body::from(plain)) };
        parts.headers.remove(CONTENT_LENGTH);
        parts.headers.remove(ACCEPT_RANGES);
        parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
        Response::from_parts(parts, Body::from(encoded))
    })
    .await
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/json") || (kind.starts_with("text/") && !kind.starts_with("text/event-stream"))
}
