//! The log as server-sent events (HTML, §9.2).

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use denizen_domain::ports::Vault;
use futures_util::stream::{self, StreamExt};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::body::cursor;
use super::follow::{FollowParams, Named, OverBody};
use crate::feed::{Follower, Over, Step, Told, driven};
use crate::http::Shared;
use crate::http::answers::{Always, BadInput, CursorExpired, Permitted, SignedIn};
use crate::http::extract::{Caller, Query};
use crate::http::problem::Problem;

/// How long a browser waits before it comes again, in milliseconds.
const RETRY_MS: u32 = 2_000;

/// Stream events as server-sent events.
///
/// Callers with `events:read` receive all events; other signed-in users receive the events about themselves. Each
/// message has the cursor as `id`, the event type as `event` and the event as JSON in `data`. A `heartbeat` with a
/// cursor is sent after all past events, and while there are no new events. Before the server closes the stream, it
/// sends an `error` with the reason and the cursor to resume from; browsers reconnect automatically.
#[utoipa::path(
    get, path = "/api/v1/events/stream", tag = "events", operation_id = "events.stream",
    params(FollowParams,
        ("Last-Event-ID" = Option<String>, Header, description = "The cursor of the last event already received.")),
    responses(
        (status = 200, description = "Unbounded stream of events.", content_type = "text/event-stream", body = String),
        BadInput, SignedIn, Permitted, CursorExpired, Always,
    ),
    security(("bearer" = []), ()),
)]
pub(super) async fn follow(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    Named(request_id): Named,
    headers: HeaderMap,
    Query(params): Query<FollowParams>,
) -> Result<Response, Problem> {
    let wish = params.wish(shared.services.vault.as_ref(), &headers)?;
    let ctx = params.caller(ctx).await?;
    let follower = shared.feed.follow(&ctx, wish).await?;
    Ok(respond(follower, request_id, |vault, told| Some(told.lines(vault))))
}

/// A follower as an answer. `lines` says what of an event is told.
pub(super) fn respond(
    follower: Follower,
    request_id: String,
    lines: impl Fn(&dyn Vault, &Told) -> Option<Bytes> + Send + 'static,
) -> Response {
    let named = request_id.clone();
    let hello = stream::iter([Bytes::from(format!("retry: {RETRY_MS}\n\n"))]);
    let told = stream::unfold((Some(follower), request_id, lines), |(follower, request_id, lines)| async move {
        let mut follower = follower?;
        loop {
            let step = follower.next().await;
            let vault = follower.ctx().services().vault.as_ref();
            let bytes = match step {
                Step::Event(told) => match lines(vault, &told) {
                    Some(bytes) => bytes,
                    None => continue,
                },
                Step::CaughtUp | Step::Heartbeat => heartbeat(vault, follower.position()),
                Step::Over(why) => {
                    let bytes = over(&OverBody::new(why, vault, follower.position(), &request_id));
                    return Some((bytes, (None, request_id, lines)));
                }
            };
            return Some((bytes, (Some(follower), request_id, lines)));
        }
    });
    let told = driven(hello.chain(told), move || over(&OverBody::bare(Over::TooSlow, &named)));
    let body = Body::from_stream(told.map(Ok::<_, std::convert::Infallible>));
    // Proxies that gather answers would keep the events for themselves.
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-cache, no-store"),
        (http::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, body).into_response()
}

fn over(body: &OverBody<'_>) -> Bytes {
    Bytes::from(format!("event: error\ndata: {}\n\n", body.json()))
}

/// As an event of its own, so that a browser that comes again goes on from here.
fn heartbeat(vault: &dyn Vault, position: i64) -> Bytes {
    let cursor = cursor(vault, position);
    Bytes::from(format!("id: {cursor}\nevent: heartbeat\ndata: {{\"type\":\"heartbeat\",\"cursor\":\"{cursor}\"}}\n\n"))
}
