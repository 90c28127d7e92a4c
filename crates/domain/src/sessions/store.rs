//! What sessions need of a store.

use async_trait::async_trait;

use super::{EndReason, Session, SessionState};
use crate::access::Permissions;
use crate::budgets::store::Forgiving;
use crate::credentials::PasswordHash;
use crate::events::NewEvent;
use crate::factors::Standing;
use crate::id::{SessionId, UserId};
use crate::page::Page;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::users::User;

/// The step of a session from one generation to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Which session.
    pub id: SessionId,
    /// The generation it must be of.
    pub from_generation: i64,
    /// When.
    pub at: Timestamp,
    /// When it ends unless it is refreshed again before.
    pub idle_expires_at: Timestamp,
}

/// What became of a [`Rotation`].
#[derive(Debug, Clone, PartialEq)]
pub struct Rotated {
    /// Whether this very step was made.
    pub is_rotated: bool,
    /// The session and its user after it, if there is such a session.
    pub found: Option<(SessionState, User)>,
}

/// A session that is opened for whoever proved a password.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The session.
    pub session: Session,
    /// The hash that the password was checked against. Another one by now opens nothing.
    pub proven: PasswordHash,
    /// The same password hashed anew, to be kept in its place.
    pub renewed: Option<PasswordHash>,
    /// What was counted as failures before it was known to be right.
    pub forgiven: Vec<Forgiving>,
    /// What is recorded of it.
    pub event: NewEvent,
}

/// What a user proved in a session, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The password.
    Password(Timestamp),
    /// A second factor.
    SecondFactor(Timestamp),
}

/// What became of an [`Opening`].
#[derive(Debug, Clone, PartialEq)]
pub enum Opened {
    /// The session is open: the user as they were before, and what they may do.
    Session(Box<(User, Permissions)>),
    /// Nothing was done: a second factor is owed.
    Owes(Standing),
    /// Nothing was done: the user is not active, or the password is another by now.
    Refused,
}

/// Reading sessions.
#[async_trait]
pub trait SessionReads {
    /// What a request needs to know of a session: on the path of every authenticated request.
    async fn session_state(&mut self, id: SessionId) -> Result<Option<SessionState>, StoreError>;

    /// The user's live sessions of one page, newest first.
    async fn list_sessions(&mut self, user: UserId, now: Timestamp, page: Page) -> Result<Vec<Session>, StoreError>;

    /// How many live sessions the user has.
    async fn count_sessions(&mut self, user: UserId, now: Timestamp) -> Result<u64, StoreError>;
}

/// Writing sessions.
#[async_trait]
pub trait SessionWrites {
    /// Adds a session.
    async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError>;

    /// Moves a live session from one generation to the next, by one conditional statement; `false`, and
    /// nothing done, when it is of another generation, or over.
    async fn rotate_session(&mut self, rotation: &Rotation) -> Result<bool, StoreError>;

    /// Ends a session and says whose it was; `None` when it is over already or does not exist.
    async fn end_session(
        &mut self,
        id: SessionId,
        reason: EndReason,
        at: Timestamp,
    ) -> Result<Option<UserId>, StoreError>;

    /// Ends every live session of the user and says which.
    async fn end_user_sessions(
        &mut self,
        user: UserId,
        reason: EndReason,
        at: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError>;

    /// Ends every live session of the user but one and says which.
    async fn end_other_sessions(
        &mut self,
        user: UserId,
        keep: SessionId,
        reason: EndReason,
        at: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError>;

    /// Notes that the user proved a factor, and whether it was a second one, in a session.
    async fn record_proof(&mut self, id: SessionId, proof: Proof) -> Result<(), StoreError>;

    /// Notes when sessions were last used; an older moment than the one that is kept changes nothing.
    async fn touch_sessions(&mut self, uses: &[(SessionId, Timestamp)]) -> Result<(), StoreError>;

    /// Removes at most so many sessions that are past their idle end, the longest past first, and says how many.
    async fn remove_expired_sessions(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
