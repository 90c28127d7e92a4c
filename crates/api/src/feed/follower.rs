//! One who follows the log, whatever the transport.

use std::collections::VecDeque;
use std::sync::Arc;

use denizen_domain::events::{EventFilter, followed, scan_end};
use denizen_domain::{Ctx, Error, Result, tokens};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::places::Place;
use super::watched::Watched;
use super::window::{After, Told};
use super::{Feed, now};

/// How many records are read at once by one who catches up.
const READ_AT_ONCE: u32 = 200;
/// How many records are looked at at once for those that are wanted.
const SCANNED_AT_ONCE: i64 = 20_000;

/// What somebody wants to follow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    /// Which events.
    pub(crate) filter: EventFilter,
    /// After which record; from now on, when nothing is said.
    pub(crate) after: Option<i64>,
}

/// What comes next.
pub(crate) enum Step {
    /// An event.
    Event(Arc<Told>),
    /// Everything that there was when the follower came has been told. Once.
    CaughtUp,
    /// Nothing for a while.
    Heartbeat,
    /// There is nothing more.
    Over(Over),
}

/// Why there is nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The server stops: go on elsewhere.
    Stopping,
    /// The credentials are expired or revoked.
    Unauthenticated,
    /// The credentials carry less than they did.
    Forbidden,
    /// The follower is too slow: go on from its cursor.
    TooSlow,
    /// The follower says more than it may.
    TooChatty,
    /// What follows on the cursor is no longer kept.
    CursorExpired,
    /// The database is away: go on from the cursor.
    Unavailable,
}

/// One who follows.
pub(crate) struct Follower {
    feed: Arc<Feed>,
    filter: EventFilter,
    watched: Watched,
    /// The last record that was looked at.
    position: i64,
    /// Records after it, looked at next.
    waiting: VecDeque<Arc<Told>>,
    head: watch::Receiver<i64>,
    /// Up to where the records that wait were looked for: those in between do not concern this one.
    read_to: i64,
    /// Up to where was looked ahead, for what is said of the credentials.
    seen: i64,
    /// Where the log ended when the follower came.
    target: i64,
    /// When it last was where the log ended; nothing before it was for the first time. From then on it must keep up.
    caught_up_at: Option<Instant>,
    /// When it is told that nothing happened.
    heartbeat_at: Instant,
    stopping: CancellationToken,
    _place: Place,
    _counted: TaskTrackerToken,
}

impl Feed {
    /// Begins to follow: everything for those who may, what concerns them for everybody else.
    ///
    /// # Errors
    /// When the caller may follow nothing, the cursor has expired, or there is no place.
    pub(crate) async fn follow(self: &Arc<Self>, ctx: &Ctx, wish: Wish) -> Result<Follower> {
        let filter = followed(ctx, wish.filter)?;
        self.follow_as(ctx, filter, wish.after).await
    }

    /// The same for whoever has been admitted already.
    pub(crate) async fn follow_as(
        self: &Arc<Self>,
        ctx: &Ctx,
        filter: EventFilter,
        after: Option<i64>,
    ) -> Result<Follower> {
        let place = self.places.enter(ctx.principal()?.subject, ctx.origin().address)?;
        let head = self.head.subscribe();
        // Whatever was committed before somebody began to follow is not what they follow from now on.
        self.services.store.seal_events().await?;
        let bounds = self.services.store.read().await?.log_bounds().await?;
        let position = after.unwrap_or(bounds.head);
        // Beyond the end is a cursor of before the database was put back to an earlier state.
        if position < bounds.floor || position > bounds.head {
            return Err(Error::CursorExpired);
        }
        // What ended the credentials before this place in the log is not met any more.
        let admitted = ctx.permissions();
        let ctx = tokens::renew(ctx).await?;
        if !ctx.permissions().contains_all(admitted) {
            return Err(Error::Forbidden);
        }
        let principal = ctx.principal()?.clone();
        Ok(Follower {
            read_to: position,
            seen: position,
            target: bounds.head,
            filter,
            watched: Watched::new(ctx, principal),
            position,
            waiting: VecDeque::new(),
            head,
            caught_up_at: None,
            heartbeat_at: self.next_heartbeat(),
            stopping: self.stopping.clone(),
            _place: place,
            _counted: self.followers.token(),
            feed: Arc::clone(self),
        })
    }

    fn next_heartbeat(&self) -> Instant {
        now() + self.heartbeat
    }
}

impl Follower {
    /// The last record that was looked at: where to go on.
    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// The ports.
    pub(crate) fn ctx(&self) -> &Ctx {
        self.watched.ctx()
    }

    /// What comes next. Dropped halfway, it has lost nothing.
    pub(crate) async fn next(&mut self) -> Step {
        match self.find().await {
            Ok(step) => step,
            Err(over) => Step::Over(over),
        }
    }

    /// What comes while no event is taken: a heartbeat, or the end. Dropped halfway, it has lost nothing.
    pub(crate) async fn hold(&mut self) -> Step {
        match self.stand_still().await {
            Ok(step) => step,
            Err(over) => Step::Over(over),
        }
    }

    async fn stand_still(&mut self) -> Result<Step, Over> {
        loop {
            if self.stopping.is_cancelled() {
                return Err(Over::Stopping);
            }
            let head = *self.head.borrow_and_update();
            self.look_ahead(head).await?;
            if let Some(step) = self.wait().await? {
                return Ok(step);
            }
        }
    }

    /// Looks at what has yet to be taken, for what it says of the credentials: whoever takes nothing is cut off all the
    /// same.
    async fn look_ahead(&mut self, head: i64) -> Result<(), Over> {
        for told in self.waiting.iter().filter(|told| told.event.position > self.seen) {
            self.watched.see(told).await?;
        }
        // What waits is had, whatever becomes of the window.
        let in_hand = self.waiting.back().map_or(self.position, |last| last.event.position).max(self.read_to);
        self.seen = self.seen.max(in_hand);
        if self.lags() && !self.feed.window.keeps(in_hand, head) {
            return Err(Over::TooSlow);
        }
        loop {
            match self.feed.window.after(self.seen, head) {
                After::Records(records) => {
                    for told in records {
                        self.watched.see(&told).await?;
                        self.seen = told.event.position;
                    }
                }
                After::Nothing => return Ok(()),
                After::Older => {
                    self.watched.ask().await?;
                    self.seen = head;
                }
            }
        }
    }

    async fn find(&mut self) -> Result<Step, Over> {
        loop {
            if self.stopping.is_cancelled() {
                return Err(Over::Stopping);
            }
            // However much there is to tell: credentials end in the middle of it, too.
            self.watched.look().await?;
            while let Some(told) = self.waiting.front() {
                // Kept in its place until it is looked at to the end: this may be dropped while it waits.
                self.watched.see(told).await?;
                let Some(told) = self.waiting.pop_front() else { break };
                self.position = told.event.position;
                if self.filter.admits(told.kind, &told.event) {
                    self.heartbeat_at = self.feed.next_heartbeat();
                    return Ok(Step::Event(told));
                }
            }
            self.position = self.position.max(self.read_to);
            let head = *self.head.borrow_and_update();
            match self.feed.window.after(self.position, head) {
                After::Records(records) => self.waiting = records.into(),
                After::Older => {
                    if self.lags() {
                        return Err(Over::TooSlow);
                    }
                    self.catch_up(head).await?;
                }
                After::Nothing if self.caught_up_at.is_none() && self.position >= self.target => {
                    self.caught_up_at = Some(now());
                    return Ok(Step::CaughtUp);
                }
                After::Nothing => {
                    // Gives the room of a burst back: most followers wait most of the time.
                    self.waiting = VecDeque::new();
                    let step = self.wait().await?;
                    // Until this moment it was where the log ends.
                    self.caught_up_at = self.caught_up_at.map(|_| now());
                    if let Some(step) = step {
                        return Ok(step);
                    }
                }
            }
        }
    }

    /// Whether it has been behind for too long. A burst that is larger than the window is no fault of its own.
    fn lags(&self) -> bool {
        self.caught_up_at.is_some_and(|at| at + self.feed.patience < now())
    }

    /// Reads what is no longer in the window.
    async fn catch_up(&mut self, head: i64) -> Result<(), Over> {
        let filter = self.filter.records();
        let read = async {
            let mut read = self.feed.services.store.snapshot().await?;
            if self.position < read.log_bounds().await?.floor {
                return Err(Error::CursorExpired);
            }
            // So much is looked at at once, and then other followers have their turn.
            let until = scan_end(&mut *read, &filter, self.position, head, SCANNED_AT_ONCE).await?;
            Ok((read.find_events(&filter, self.position, until, READ_AT_ONCE).await?, until))
        };
        let (events, until) = read.await.map_err(|error| match error {
            Error::CursorExpired => Over::CursorExpired,
            _ => Over::Unavailable,
        })?;
        // Events of the follower's own credentials may be among those that are passed over.
        self.watched.look().await?;
        self.watched.ask().await?;
        if events.len() < READ_AT_ONCE as usize {
            self.read_to = until;
        }
        self.waiting = events.into_iter().map(Told::new).collect();
        Ok(())
    }

    /// Waits until something is new, or due.
    async fn wait(&mut self) -> Result<Option<Step>, Over> {
        let until = self.heartbeat_at.min(self.watched.due());
        tokio::select! {
            () = self.stopping.cancelled() => return Err(Over::Stopping),
            changed = timeout_at(until, self.head.changed()) => {
                if changed.is_ok() {
                    return Ok(None);
                }
            }
        }
        self.watched.look().await?;
        if !self.feed.is_fresh() {
            // A heartbeat says that nothing happened; who cannot read the log does not know.
            return Err(Over::Unavailable);
        }
        if self.heartbeat_at > now() {
            return Ok(None);
        }
        self.heartbeat_at = self.feed.next_heartbeat();
        Ok(Some(Step::Heartbeat))
    }
}

impl Over {
    /// The stable code that followers are told.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Stopping => "server_stopping",
            Self::Unauthenticated => "invalid_token",
            Self::Forbidden => "forbidden",
            Self::TooSlow => "too_slow",
            Self::TooChatty => "too_many_requests",
            Self::CursorExpired => "cursor_expired",
            Self::Unavailable => "database_unavailable",
        }
    }

    /// The same for a person.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Stopping => "The server is shutting down. Reconnect and resume from your cursor.",
            Self::Unauthenticated => "The credentials have expired or were revoked. Sign in again.",
            Self::Forbidden => "Your permissions were reduced. Reconnect with the current permissions.",
            Self::TooSlow => "You read too slowly. Reconnect and resume from your cursor.",
            Self::TooChatty => "You sent too many messages. Reconnect and send fewer messages.",
            Self::CursorExpired => "The cursor has expired. Start again without a cursor.",
            Self::Unavailable => "The database is unavailable. Reconnect and resume from your cursor.",
        }
    }
}
