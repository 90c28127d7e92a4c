//! The log over a WebSocket (RFC 6455; over HTTP/2, RFC 8441).

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use denizen_domain::events::require_following;
use denizen_domain::ports::Vault;
use http::header::{ORIGIN, UPGRADE};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument;

use super::body::cursor;
use super::follow::{FollowParams, Named, OverBody};
use crate::feed::{Follower, Over, Step};
use crate::http::Shared;
use crate::http::answers::{Always, BadInput, CursorExpired, Permitted, SignedIn, UpgradeRequired};
use crate::http::extract::{Caller, Query};
use crate::http::problem::Problem;

/// The longest message that a client may send. It need not send any.
const MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// How many messages a client may send between two pings, the answers to them included.
const MESSAGES_MAX: u32 = 60;
/// What is read from the socket at once: clients hardly say anything, and there are many of them.
const READ_BUFFER_BYTES: usize = 1024;
/// How long a client may take to take one message. One that takes none is gone, or as good as.
const SEND_PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to say goodbye.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
/// After how many pings without a word a client is given up.
const UNANSWERED_MAX: u32 = 3;

/// Stream events over a WebSocket.
///
/// Callers with `events:read` receive all events; other signed-in users receive the events about themselves. The server
/// sends `{"type":"event","event":{…}}` for each event and `{"type":"heartbeat","cursor":"…"}` after all past events
/// and while there are no new events. Before it closes the connection, it sends
/// `{"type":"error","error":{…},"cursor":"…"}`. Close codes: 1012 the server is shutting down, 4401 the credentials are
/// no longer valid, 4403 the credentials have lost permissions, 4408 the client reads too slowly, 4410 the cursor has
/// expired, 4429 the client sends too much, 1013 the database is unavailable. Clients need to send nothing except
/// pongs.
#[utoipa::path(
    get, path = "/api/v1/events/ws", tag = "events", operation_id = "events.ws",
    params(FollowParams),
    responses(
        (status = 101, description = "The WebSocket is open."),
        BadInput, SignedIn, Permitted, CursorExpired, UpgradeRequired, Always,
    ),
    security(("bearer" = []), ()),
)]
pub(super) async fn follow(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    Named(request_id): Named,
    headers: HeaderMap,
    Query(params): Query<FollowParams>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    // Any page can open a WebSocket to anywhere, and browsers send cookies along.
    if headers.contains_key(ORIGIN) && !shared.origins.admit(&headers) {
        let message = "This origin is not allowed to open event streams; see server.cors_origins.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", message));
    }
    let wish = params.wish(shared.services.vault.as_ref(), &headers)?;
    let Ok(upgrade) = upgrade else {
        require_following(&params.caller(ctx).await?)?;
        return Ok(upgrade_required());
    };
    let ctx = params.caller(ctx).await?;
    let follower = shared.feed.follow(&ctx, wish).await?;
    let heartbeat = shared.feed.heartbeat();
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX);
    let span = tracing::Span::current();
    let serve = move |socket| Connection::new(socket, follower, request_id, heartbeat).serve().instrument(span);
    Ok(upgrade.on_upgrade(serve))
}

fn upgrade_required() -> Response {
    let message = "This endpoint requires a WebSocket: send Upgrade: websocket.";
    let mut response = Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message).into_response();
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}

/// One open WebSocket.
struct Connection {
    socket: WebSocket,
    follower: Follower,
    request_id: String,
    heartbeat: Duration,
    /// When it is asked next whether it is still there, however much there is to tell.
    ping_at: Instant,
    /// How often it was asked since it last said anything.
    unanswered: u32,
    /// How many messages came since the last ping.
    heard: u32,
}

/// How a connection ends.
enum End {
    /// The client is gone, or says so.
    Left,
    /// It is told why.
    Told(Over),
}

impl Connection {
    fn new(socket: WebSocket, follower: Follower, request_id: String, heartbeat: Duration) -> Self {
        Self { socket, follower, request_id, heartbeat, ping_at: now() + heartbeat, unanswered: 0, heard: 0 }
    }

    async fn serve(mut self) {
        let end = loop {
            let done = tokio::select! {
                step = self.follower.next() => self.take_step(step).await,
                said = self.socket.recv() => self.hear(said.as_ref()),
                () = sleep_until(self.ping_at) => self.ping().await,
            };
            if let Err(end) = done {
                break end;
            }
        };
        match end {
            End::Left => tracing::debug!("event stream closed by the client"),
            End::Told(over) => {
                tracing::debug!(code = over.code(), "event stream closed by the server");
                let _ = timeout(CLOSE_PATIENCE, self.close(over)).await;
            }
        }
    }

    async fn take_step(&mut self, step: Step) -> Result<(), End> {
        let vault = self.follower.ctx().services().vault.as_ref();
        match step {
            Step::Event(told) => {
                let message = told.message(vault);
                self.send(Message::Text(message)).await
            }
            Step::CaughtUp | Step::Heartbeat => {
                let message = heartbeat(vault, self.follower.position());
                self.send(message).await
            }
            Step::Over(over) => Err(End::Told(over)),
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.unanswered >= UNANSWERED_MAX {
            return Err(End::Left);
        }
        self.unanswered += 1;
        self.heard = 0;
        self.ping_at = now() + self.heartbeat;
        self.send(Message::Ping(axum::body::Bytes::new())).await
    }

    fn hear(&mut self, said: Option<&Result<Message, axum::Error>>) -> Result<(), End> {
        match said {
            None | Some(Err(_) | Ok(Message::Close(_))) => Err(End::Left),
            Some(Ok(Message::Text(_) | Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {
                self.unanswered = 0;
                self.heard += 1;
                if self.heard > MESSAGES_MAX { Err(End::Told(Over::TooChatty)) } else { Ok(()) }
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_PATIENCE, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Left),
        }
    }

    async fn close(&mut self, over: Over) -> Result<(), axum::Error> {
        let vault = self.follower.ctx().services().vault.as_ref();
        let body = OverBody::new(over, vault, self.follower.position(), &self.request_id).json();
        self.socket.send(Message::Text(body.into())).await?;
        let reason = Utf8Bytes::from_static(over.code());
        self.socket.send(Message::Close(Some(CloseFrame { code: close_code(over), reason }))).await?;
        // The client answers, and hangs up; until then what was sent may still be on its way.
        while let Some(Ok(_)) = self.socket.recv().await {}
        Ok(())
    }
}

fn heartbeat(vault: &dyn Vault, position: i64) -> Message {
    let cursor = cursor(vault, position);
    Message::Text(format!("{{\"type\":\"heartbeat\",\"cursor\":\"{cursor}\"}}").into())
}

/// The codes of RFC 6455 §7.4.1 and its registry where there is one, else of the range for private use.
const fn close_code(over: Over) -> u16 {
    match over {
        Over::Stopping => 1012,
        Over::Unavailable => 1013,
        Over::Unauthenticated => 4401,
        Over::Forbidden => 4403,
        Over::TooSlow => 4408,
        Over::CursorExpired => 4410,
        Over::TooChatty => 4429,
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how long a connection is silent is no matter of the domain")]
    Instant::now()
}
