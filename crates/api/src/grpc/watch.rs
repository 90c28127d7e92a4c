//! What every stream of events shares: how an event is written, and how a stream ends.

use std::pin::Pin;
use std::time::Duration;

use denizen_domain::error::FieldError;
use denizen_domain::events::{Event, EventFilter, EventType, Revocation, Revoked};
use denizen_domain::ports::Vault;
use denizen_proto::v1;
use denizen_proto::v1::revocation;
use futures_util::stream;
use tokio::time::{Instant, timeout_at};
use tokio_stream::Stream;
use tonic::Status;

use super::call::Call;
use super::convert::{moment, object, said};
use super::status::Refusal;
use crate::feed::{Follower, Over, Step, Told, Wish, driven};
use crate::http::events::body::{cursor, position};
use crate::middleware::RequestId;

/// How many types a client may name. There are not so many.
const TYPES_MAX: usize = 200;
/// How long all of them may be, in bytes.
const TYPES_BYTES_MAX: usize = 8 * 1024;

/// Messages without an end.
pub(super) type Messages<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

/// How a stream ends.
pub(super) struct End {
    request_id: RequestId,
    /// When the caller waits no more, if they say so.
    at: Option<Instant>,
}

impl End {
    /// The end of the stream that a call asks for.
    pub(super) fn of(call: &Call) -> Self {
        // A moment that no clock will show is no bound.
        let at = call.patience().and_then(|patience: Duration| now().checked_add(patience));
        Self { request_id: call.request_id().clone(), at }
    }

    /// What comes next, unless the time is over before.
    pub(super) async fn before<T>(&self, next: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        match self.at {
            Some(at) => timeout_at(at, next).await.unwrap_or_else(|_| Err(Refusal::out_of_time())),
            None => next.await,
        }
    }

    /// What a reader finds who comes back after it was given up.
    pub(super) fn given_up<M>(&self) -> impl FnOnce() -> Result<M, Status> + Send + use<M> {
        let request_id = self.request_id.clone();
        move || Err(Refusal::from(Over::TooSlow).into_status(request_id.as_str()))
    }

    /// The status that ends it, with where to go on.
    pub(super) fn status(&self, refusal: Refusal, cursor: String) -> Status {
        refusal.into_status_at(self.request_id.as_str(), cursor)
    }
}

/// A stream that tells what a follower is told, in messages of its own.
pub(super) struct Watching<M> {
    /// The follower.
    pub(super) follower: Follower,
    /// How it ends.
    pub(super) end: End,
    /// What of an event is told.
    pub(super) of_event: fn(&dyn Vault, &Told) -> Option<M>,
    /// A heartbeat.
    pub(super) of_heartbeat: fn(v1::EventHeartbeat) -> M,
}

impl<M: Send + 'static> Watching<M> {
    /// It, given up when nobody takes what it tells.
    pub(super) fn messages(self) -> Messages<M> {
        let given_up = self.end.given_up();
        let messages = stream::unfold(Some(self), |watching| async move {
            let mut watching = watching?;
            let next =
                watching.end.before(next(&mut watching.follower, watching.of_event, watching.of_heartbeat)).await;
            match next {
                Ok(message) => Some((Ok(message), Some(watching))),
                Err(refusal) => {
                    let cursor = cursor(vault(&watching.follower), watching.follower.position());
                    Some((Err(watching.end.status(refusal, cursor)), None))
                }
            }
        });
        Box::pin(driven(messages, given_up))
    }
}

async fn next<M>(
    follower: &mut Follower,
    of_event: fn(&dyn Vault, &Told) -> Option<M>,
    of_heartbeat: fn(v1::EventHeartbeat) -> M,
) -> Result<M, Refusal> {
    loop {
        match follower.next().await {
            Step::Event(told) => {
                if let Some(message) = of_event(vault(follower), &told) {
                    return Ok(message);
                }
            }
            // Before everything was told there is no other heartbeat.
            Step::CaughtUp | Step::Heartbeat => return Ok(of_heartbeat(heartbeat(follower, true))),
            Step::Over(over) => return Err(over.into()),
        }
    }
}

/// A heartbeat, at the place of a follower.
pub(super) fn heartbeat(follower: &Follower, caught_up: bool) -> v1::EventHeartbeat {
    v1::EventHeartbeat { cursor: cursor(vault(follower), follower.position()), caught_up }
}

/// What cursors are made with.
pub(super) fn vault(follower: &Follower) -> &dyn Vault {
    follower.ctx().services().vault.as_ref()
}

/// An event.
pub(super) fn event(vault: &dyn Vault, event: &Event) -> v1::Event {
    v1::Event {
        cursor: cursor(vault, event.position),
        id: event.id.to_string(),
        r#type: event.kind.clone(),
        subject: event.about.as_str().map(str::to_owned),
        actor: Some(v1::EventActor {
            r#type: event.actor.kind.as_str().to_owned(),
            id: event.actor.id.map(|id| id.to_string()),
        }),
        occurred_at: Some(moment(event.occurred_at)),
        data: Some(object(event.data.clone())),
    }
}

/// What of an event is a revocation.
pub(super) fn revocation(vault: &dyn Vault, event: &Event) -> Option<v1::Revocation> {
    let Revocation { position, revoked, since } = Revocation::of(event)?;
    let revoked = match revoked {
        Revoked::Session(id) => revocation::Revoked::SessionId(id),
        Revoked::ApiKey(id) => revocation::Revoked::ApiKeyId(id),
        Revoked::Subject(id) => revocation::Revoked::Subject(id),
    };
    Some(v1::Revocation { cursor: cursor(vault, position), revoked: Some(revoked), since: Some(moment(since)) })
}

/// What somebody wants to follow.
pub(super) fn wish(vault: &dyn Vault, after: &str, types: &[String]) -> Result<Wish, FieldError> {
    let filter = EventFilter { kinds: kinds(types)?, about: None };
    Ok(Wish { filter, after: read_cursor(vault, "after", after)? })
}

/// The place that a cursor stands for; `None` when nothing is said.
pub(super) fn read_cursor(vault: &dyn Vault, field: &str, raw: &str) -> Result<Option<i64>, FieldError> {
    said(raw).map(|raw| position(vault, field, raw)).transpose()
}

/// The types that names stand for; `None` when nothing is said.
pub(super) fn kinds(types: &[String]) -> Result<Option<Vec<EventType>>, FieldError> {
    if types.is_empty() {
        return Ok(None);
    }
    // Each is looked for in the whole catalogue.
    if types.len() > TYPES_MAX || types.iter().map(|name| name.len() + 1).sum::<usize>() > TYPES_BYTES_MAX {
        return Err(FieldError::new("types", "too_long", "must be at most 200 types"));
    }
    EventFilter::parse_types(&types.join(",")).map(Some)
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how long a caller waits is no matter of the domain")]
    Instant::now()
}
