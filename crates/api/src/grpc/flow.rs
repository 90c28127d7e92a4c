//! `EventService.Follow`: the log at the pace of what the client acknowledges.

use std::collections::VecDeque;
use std::time::Duration;

use denizen_domain::error::FieldError;
use denizen_domain::events::require_following;
use denizen_proto::v1;
use denizen_proto::v1::follow_request::Said;
use denizen_proto::v1::follow_response::Told;
use futures_util::stream;
use tokio::time::timeout;
use tonic::{Status, Streaming};

use super::call::Call;
use super::convert::required;
use super::status::Refusal;
use super::watch::{End, Messages, event, heartbeat, read_cursor, vault, wish};
use crate::feed::{Follower, Over, Step, driven};
use crate::http::events::body::cursor;
use crate::http::problem::Problem;

/// How many events may be under way when the client says nothing of it.
const WINDOW_DEFAULT: usize = 100;
/// How many at most.
const WINDOW_MAX: usize = 1_000;
/// How many messages a client may send beyond one for each event that it got. Each heartbeat gives them back.
const MESSAGES_SPARE: usize = 60;

/// Follows what the first message says.
pub(super) async fn follow(
    call: &Call,
    mut said: Streaming<v1::FollowRequest>,
) -> Result<Messages<v1::FollowResponse>, Refusal> {
    require_following(&call.ctx)?;
    let end = End::of(call);
    // As long as any request may take; a deadline of the caller's own is kept outside.
    let patience = Duration::from_secs(call.shared.limits.request_timeout_s.into());
    let first = timeout(patience, said.message()).await.map_err(|_| Refusal::out_of_time())?;
    let first = first.map_err(|status| unreadable(&status))?;
    let Some(v1::FollowRequest { said: Some(Said::Start(start)) }) = first else {
        return Err(FieldError::new("start", "required", "must be the first message").into());
    };
    let window = read_window(start.window)?.unwrap_or(WINDOW_DEFAULT);
    let wish = wish(call.shared.services.vault.as_ref(), &start.after, &start.types)?;
    let follower = call.shared.feed.follow(&call.ctx, wish).await?;
    let begin = follower.position();
    let flow = Flow {
        follower,
        said,
        window,
        under_way: VecDeque::new(),
        settled: begin,
        told: begin,
        has_caught_up: false,
        may_say: MESSAGES_SPARE,
    };
    Ok(flow.messages(end))
}

/// One who follows, and what is under way to it.
struct Flow {
    follower: Follower,
    said: Streaming<v1::FollowRequest>,
    window: usize,
    /// The events that were sent and are not acknowledged: no more than the window, or a larger one before it.
    under_way: VecDeque<i64>,
    /// Up to where everything is acknowledged.
    settled: i64,
    /// The last place in the log that the client was told.
    told: i64,
    has_caught_up: bool,
    /// How many messages it may send.
    may_say: usize,
}

impl Flow {
    /// It, given up when nobody takes what it tells.
    fn messages(self, end: End) -> Messages<v1::FollowResponse> {
        let given_up = end.given_up();
        let messages = stream::unfold(Some((self, end)), |flow| async move {
            let (mut flow, end) = flow?;
            match end.before(flow.next()).await {
                Ok(Some(told)) => Some((Ok(v1::FollowResponse { told: Some(told) }), Some((flow, end)))),
                Ok(None) => None,
                Err(refusal) => {
                    let cursor = cursor(vault(&flow.follower), flow.safe());
                    Some((Err(end.status(refusal, cursor)), None))
                }
            }
        });
        Box::pin(driven(messages, given_up))
    }

    /// What comes next; nothing when the client has said its last.
    async fn next(&mut self) -> Result<Option<Told>, Refusal> {
        loop {
            let is_full = self.under_way.len() >= self.window;
            let step = tokio::select! {
                // First what is acknowledged: the events may be many.
                biased;
                said = self.said.message() => {
                    let Some(said) = said.map_err(|status| unreadable(&status))? else { return Ok(None) };
                    self.hear(&said)?;
                    continue;
                }
                step = step(&mut self.follower, is_full) => step,
            };
            return self.take(&step).map(Some);
        }
    }

    fn take(&mut self, step: &Step) -> Result<Told, Refusal> {
        let told = match step {
            Step::Event(told) => {
                self.under_way.push_back(told.event.position);
                self.may_say = (self.may_say + 1).min(MESSAGES_SPARE + WINDOW_MAX);
                Told::Event(event(vault(&self.follower), &told.event))
            }
            Step::CaughtUp | Step::Heartbeat => {
                self.has_caught_up |= matches!(step, Step::CaughtUp);
                self.may_say = self.may_say.max(MESSAGES_SPARE);
                Told::Heartbeat(heartbeat(&self.follower, self.has_caught_up))
            }
            Step::Over(over) => return Err((*over).into()),
        };
        self.told = self.follower.position();
        Ok(told)
    }

    fn hear(&mut self, said: &v1::FollowRequest) -> Result<(), Refusal> {
        self.may_say = self.may_say.checked_sub(1).ok_or(Over::TooChatty)?;
        let ack = match &said.said {
            Some(Said::Ack(ack)) => ack,
            Some(Said::Start(_)) => {
                return Err(FieldError::new("start", "not_allowed", "must only be in the first message").into());
            }
            None => return Err(required("ack").into()),
        };
        let up_to = read_cursor(vault(&self.follower), "cursor", &ack.cursor)?;
        let window = read_window(ack.window)?;
        if up_to.is_none() && window.is_none() {
            return Err(required("cursor").into());
        }
        if up_to.is_some_and(|up_to| up_to > self.told) {
            return Err(FieldError::new("cursor", "invalid_cursor", "must be a cursor of this stream").into());
        }
        self.window = window.unwrap_or(self.window);
        self.settled = self.settled.max(up_to.unwrap_or_default());
        while self.under_way.front().is_some_and(|first| *first <= self.settled) {
            self.under_way.pop_front();
        }
        Ok(())
    }

    /// From where nothing is lost, whatever became of what is under way.
    fn safe(&self) -> i64 {
        if self.under_way.is_empty() { self.follower.position() } else { self.settled }
    }
}

/// What comes next: an event as well, unless the window is full.
async fn step(follower: &mut Follower, is_full: bool) -> Step {
    if is_full { follower.hold().await } else { follower.next().await }
}

/// How many events may be under way; `None` when nothing is said.
fn read_window(window: i32) -> Result<Option<usize>, FieldError> {
    let within = |window: usize| (1..=WINDOW_MAX).contains(&window);
    match usize::try_from(window) {
        Ok(0) => Ok(None),
        Ok(window) if within(window) => Ok(Some(window)),
        _ => Err(FieldError::new("window", "out_of_range", format!("must be 1 to {WINDOW_MAX}"))),
    }
}

fn unreadable(status: &Status) -> Refusal {
    Refusal::of_library(status).unwrap_or_else(|| Problem::unreadable().into())
}
