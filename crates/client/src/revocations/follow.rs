//! The connection to the feed: connect, read, reconnect.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::timeout;
use uuid::Uuid;

use super::Revocations;
use super::sse::{Event, Malformed, Parser};
use crate::backoff::Backoff;
use crate::transport::{Request, Transport, TransportError};

/// The server retains revocations for the lifetime of a token and a minute; clocks and the leeway of `exp` differ by a
/// minute each.
const RETAINED_BEYOND_S: u64 = 120;
/// The time between two deletions of outdated revocations.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// The one connection, and where it continues.
pub(super) struct Connection {
    revocations: Arc<Revocations>,
    transport: Arc<dyn Transport>,
    url: String,
    api_key: String,
    heartbeat_timeout: Duration,
    /// The cursor of the last message.
    cursor: Option<String>,
    swept_at: Duration,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Disconnect {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("a message is not as documented")]
    Message(#[source] serde_json::Error),
    #[error("a message has no valid id or time")]
    Fields,
    #[error("no message within {0:?}")]
    TimedOut(Duration),
    #[error("the server closed the stream")]
    Closed,
    #[error("the server closed the stream: {0}")]
    ErrorEvent(String),
    #[error("the server responded with status {0}")]
    Status(u16),
    #[error("the response is not an event stream")]
    MediaType,
    #[error("there are more revocations than entries_max")]
    Full,
}

/// A revocation (`RevocationBody` of the server).
#[derive(Deserialize)]
struct Revocation {
    cursor: String,
    session_id: Option<String>,
    api_key_id: Option<String>,
    subject: Option<String>,
    since: String,
}

#[derive(Deserialize)]
struct Heartbeat {
    cursor: String,
}

#[derive(Deserialize)]
struct ErrorEvent {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    code: String,
}

impl Connection {
    pub(super) fn new(
        revocations: Arc<Revocations>,
        transport: Arc<dyn Transport>,
        url: String,
        api_key: String,
        heartbeat_timeout: Duration,
    ) -> Self {
        let swept_at = revocations.clock.monotonic();
        Self { revocations, transport, url, api_key, heartbeat_timeout, cursor: None, swept_at }
    }

    /// Follows the feed until the task is aborted.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let mut has_caught_up = false;
            let reason = match self.follow(&mut has_caught_up).await {
                Ok(never) => match never {},
                Err(reason) => reason,
            };
            if has_caught_up {
                backoff.reset();
            }
            self.restart_if_cursor_unusable(&reason);
            self.sweep();
            let wait = backoff.next();
            tracing::warn!(
                error = &reason as &dyn std::error::Error,
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                "revocation feed disconnected"
            );
            tokio::time::sleep(wait).await;
        }
    }

    /// Starts with a new snapshot if the next connection cannot continue after the last message.
    fn restart_if_cursor_unusable(&mut self, reason: &Disconnect) {
        let must_restart = match reason {
            // The events after the cursor have been deleted, or the cursor is one of another database.
            Disconnect::Status(400 | 410) => self.cursor.is_some(),
            Disconnect::ErrorEvent(code) => code == "cursor_expired",
            Disconnect::Full => true,
            _ => false,
        };
        if must_restart {
            self.cursor = None;
            self.revocations.mark_incomplete();
        }
    }

    async fn follow(&mut self, has_caught_up: &mut bool) -> Result<std::convert::Infallible, Disconnect> {
        let cursor = self.cursor.as_deref().map(|cursor| ("last-event-id", cursor));
        let request = Request {
            bearer: Some(&self.api_key).filter(|key| !key.is_empty()).map(String::as_str),
            headers: cursor.as_slice(),
            ..Request::get(&self.url, "text/event-stream")
        };
        let limit = self.heartbeat_timeout;
        let connecting = timeout(limit, self.transport.send(request)).await;
        let response = connecting.map_err(|_| Disconnect::TimedOut(limit))??;
        if response.status != 200 {
            return Err(Disconnect::Status(response.status));
        }
        if !response.has_media_type(&["text/event-stream"]) {
            return Err(Disconnect::MediaType);
        }
        let (mut body, mut parser) = (response.body, Parser::default());
        loop {
            // The limit applies to complete messages: single bytes are no sign of life.
            let events = timeout(limit, async {
                let mut events = Vec::new();
                while events.is_empty() {
                    let chunk = body.chunk().await?.ok_or(Disconnect::Closed)?;
                    parser.push(&chunk, |event| events.push(event))?;
                }
                Ok::<_, Disconnect>(events)
            });
            for event in events.await.map_err(|_| Disconnect::TimedOut(limit))?? {
                self.accept(&event, has_caught_up)?;
            }
            self.sweep_if_due();
        }
    }

    fn accept(&mut self, event: &Event, has_caught_up: &mut bool) -> Result<(), Disconnect> {
        match event.kind.as_str() {
            "revocation" => {
                let revocation: Revocation = serde_json::from_str(&event.data).map_err(Disconnect::Message)?;
                self.record(&revocation)?;
                self.cursor = Some(revocation.cursor);
            }
            // The first one marks the end of the past.
            "heartbeat" => {
                let heartbeat: Heartbeat = serde_json::from_str(&event.data).map_err(Disconnect::Message)?;
                self.cursor = Some(heartbeat.cursor);
                if !*has_caught_up {
                    *has_caught_up = true;
                    tracing::debug!(revocations = self.revocations.len(), "revocation feed is current");
                }
            }
            "error" => {
                let event: ErrorEvent = serde_json::from_str(&event.data).map_err(Disconnect::Message)?;
                return Err(Disconnect::ErrorEvent(event.error.code));
            }
            // Of a later release.
            _ => {}
        }
        if *has_caught_up {
            self.revocations.mark_complete();
        }
        Ok(())
    }

    fn record(&self, revocation: &Revocation) -> Result<(), Disconnect> {
        if self.revocations.len() >= self.revocations.entries_max {
            return Err(Disconnect::Full);
        }
        let since = OffsetDateTime::parse(&revocation.since, &Rfc3339).map_err(|_| Disconnect::Fields)?;
        let since_s = u64::try_from(since.unix_timestamp()).map_err(|_| Disconnect::Fields)?;
        let id = |raw: &str| Uuid::try_parse(raw).map_err(|_| Disconnect::Fields);
        if let Some(session) = &revocation.session_id {
            self.revocations.credentials.insert(id(session)?, since_s);
        }
        if let Some(key) = &revocation.api_key_id {
            self.revocations.credentials.insert(id(key)?, since_s);
        }
        if let Some(subject) = &revocation.subject {
            // `iat` is in whole seconds, and is before a time exactly if it is before the next whole second.
            self.revocations.subjects.insert(id(subject)?, since_s + u64::from(since.nanosecond() > 0));
        }
        Ok(())
    }

    fn sweep_if_due(&mut self) {
        if self.revocations.clock.monotonic().saturating_sub(self.swept_at) >= SWEEP_INTERVAL {
            self.sweep();
        }
    }

    /// Deletes revocations that only affect tokens that have expired.
    fn sweep(&mut self) {
        self.swept_at = self.revocations.clock.monotonic();
        let retained_s = self.revocations.token_lifetime.as_secs() + RETAINED_BEYOND_S;
        let oldest_s = self.revocations.clock.unix_time().as_secs().saturating_sub(retained_s);
        self.revocations.credentials.remove_before(oldest_s);
        self.revocations.subjects.remove_before(oldest_s);
    }
}
