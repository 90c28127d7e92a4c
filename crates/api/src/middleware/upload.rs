//! Receives the body of a request: in time, and within what its client may have in memory. Only then is the request worked
//! on, so that a client that sends half of a body takes no capacity from others.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use bytes::BytesMut;
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::exchange::Exchange;
use super::is_exempt;
use crate::http::Shared;
use crate::http::extract::read_problem;
use crate::http::problem::Problem;

/// How fast a body must arrive on average, beyond the time that the head may take.
const BYTES_PER_S_MIN: u32 = 1024;
/// The longest body of a health check, which is not counted against any client.
const EXEMPT_BYTES_MAX: usize = 4 * 1024;
/// How much room is made for a body before it comes, however much is announced.
const ROOM_BYTES_MAX: u64 = 16 * 1024;
/// How much longer than a message its frame is at most: the prefix of gRPC, and empty frames.
const FRAME_BYTES_MAX: usize = 1024;

/// The request with its body in memory, and a place among the requests that are worked on. Health checks need no place.
pub(super) async fn receive(
    shared: &Shared,
    request: Request,
) -> Result<(Request, Option<SemaphorePermit<'_>>), Problem> {
    let request = if request.body().is_end_stream() { request } else { Box::pin(read(shared, request)).await? };
    enter(shared, request)
}

/// The same for a call over gRPC. What is longer than a message may be is left to the library, which refuses it by its
/// prefix.
pub(super) async fn receive_call(
    shared: &Shared,
    request: Request,
) -> Result<(Request, Option<SemaphorePermit<'_>>), Problem> {
    let request = if request.body().is_end_stream() { request } else { Box::pin(read_call(shared, request)).await? };
    enter(shared, request)
}

/// The request as it comes, when its handler reads it piece by piece, and a place.
pub(super) fn enter(shared: &Shared, request: Request) -> Result<(Request, Option<SemaphorePermit<'_>>), Problem> {
    if is_exempt(&request) {
        // The connection may still be closed to make room: health checks have a reserve.
        return Ok((request, None));
    }
    let place = shared.capacity.enter()?;
    if let Some(exchange) = request.extensions().get::<Arc<Exchange>>() {
        exchange.receive();
    }
    Ok((request, Some(place)))
}

async fn read(shared: &Shared, request: Request) -> Result<Request, Problem> {
    let mut upload = Upload::of(shared, &request);
    let (parts, mut body) = request.into_parts();
    while upload.read_frame(&mut body).await? {}
    Ok(Request::from_parts(parts, Body::from(upload.received.freeze())))
}

async fn read_call(shared: &Shared, request: Request) -> Result<Request, Problem> {
    let bytes_max = shared.limits.body_bytes as usize + FRAME_BYTES_MAX;
    let mut upload = Upload::of(shared, &request);
    let (parts, mut body) = request.into_parts();
    while upload.received.len() <= bytes_max {
        if !upload.read_frame(&mut body).await? {
            return Ok(Request::from_parts(parts, Body::from(upload.received.freeze())));
        }
    }
    let received: Bytes = upload.received.freeze();
    Ok(Request::from_parts(parts, Body::from(received)))
}

/// A body that arrives. It is copied into one piece: small frames would each hold on to the buffer that they were read into.
struct Upload {
    bytes_max: usize,
    exchange: Option<Arc<Exchange>>,
    received: BytesMut,
    begun_at: Instant,
    /// How long it may take at any rate.
    grace: Duration,
}

impl Upload {
    fn of(shared: &Shared, request: &Request) -> Self {
        let announced = request.body().size_hint().lower().min(ROOM_BYTES_MAX);
        Self {
            bytes_max: if is_exempt(request) { EXEMPT_BYTES_MAX } else { usize::MAX },
            exchange: request.extensions().get::<Arc<Exchange>>().cloned(),
            received: BytesMut::with_capacity(usize::try_from(announced).unwrap_or_default()),
            begun_at: now(),
            grace: Duration::from_secs(shared.limits.header_timeout_s.into()),
        }
    }

    /// Reads one frame; `false` when there are no more.
    async fn read_frame(&mut self, body: &mut Body) -> Result<bool, Problem> {
        let earned_s = f64::from(u32::try_from(self.received.len()).unwrap_or(u32::MAX)) / f64::from(BYTES_PER_S_MIN);
        let deadline = self.begun_at + self.grace + Duration::from_secs_f64(earned_s);
        let frame = timeout_at(deadline, body.frame()).await.map_err(|_| too_slow())?;
        let Some(frame) = frame else { return Ok(false) };
        // Trailers say nothing here.
        if let Ok(data) = frame.map_err(|error| read_problem(&error))?.into_data() {
            self.count(data.len())?;
            self.received.extend_from_slice(&data);
        }
        Ok(true)
    }

    fn count(&self, bytes: usize) -> Result<(), Problem> {
        if self.received.len() + bytes > self.bytes_max {
            return Err(Problem::too_large());
        }
        let Some(exchange) = &self.exchange else { return Ok(()) };
        exchange.with_share(|share| share.add_body_bytes(bytes as u64)).unwrap_or(Ok(()))
    }
}

fn too_slow() -> Problem {
    let message = "The request body was received too slowly. Send it again.";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", message)
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how fast a body arrives does not concern the domain")]
    Instant::now()
}
