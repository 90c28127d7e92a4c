//! What sessions need of a store.

use async_trait::async_trait;

use super::{EndReason, Session, SessionState};
use crate::access::Permissions;
use crate::auth_methods::AuthMethods;
use crate::budgets::store::Forgiving;
use crate::credentials::PasswordHash;
use crate::events::{Happened, NewEvent};
use crate::factors::Standing;
use crate::id::{IdentityId, SessionId, UserId};
use crate::page::Page;
use crate::providers::ProviderName;
use crate::store::{StoreError, WriteTx};
use crate::time::Timestamp;
use crate::users::User;

/// The step of a session from one generation to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Which session.
    pub id: SessionId,
    /// The generation it must be of.
    pub from_generation: i64,
    /// The time of the refresh.
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
    /// What it ends when the user has too many sessions.
    pub displacement: Displacement,
}

/// The end of a user's oldest sessions when a new one exceeds how many they may have.
#[derive(Debug, Clone)]
pub struct Displacement {
    /// How many live on.
    pub keep: u32,
    /// What is recorded of each that ends, but for its id. One opening ends no more than these: users who have far more
    /// sessions than they may lose the surplus one by one.
    pub events: [NewEvent; DISPLACED_MAX],
}

/// How many sessions end at most when another one is opened.
pub const DISPLACED_MAX: usize = 2;

impl Displacement {
    /// Why they end.
    pub const REASON: EndReason = EndReason::TooManySessions;

    /// How many end at most.
    #[must_use]
    pub fn limit(&self) -> u32 {
        u32::try_from(self.events.len()).unwrap_or(u32::MAX)
    }

    /// What is recorded of these sessions.
    #[must_use]
    pub fn events_of(&self, ended: &[SessionId]) -> Vec<NewEvent> {
        let data = |session_id| Happened::SessionEnded { session_id, reason: Self::REASON }.data();
        ended.iter().zip(&self.events).map(|(id, event)| NewEvent { data: data(*id), ..event.clone() }).collect()
    }
}

/// Ends the user's oldest sessions with the address change that one of them asked for, and records each, within the
/// transaction that has added `opened`.
pub(crate) async fn displace(
    tx: &mut dyn WriteTx,
    opened: &Session,
    displacement: &Displacement,
) -> Result<(), StoreError> {
    let (user, at) = (opened.user_id, opened.created_at);
    let ended = tx.end_oldest_sessions(user, displacement.keep, displacement.limit(), at).await?;
    for event in displacement.events_of(&ended) {
        tx.record_event(event);
    }
    for session in ended {
        tx.remove_email_change_by(user, session).await?;
    }
    Ok(())
}

/// What a user proved in a session, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// By which methods. They are added to those of the session.
    pub methods: AuthMethods,
    /// When.
    pub at: Timestamp,
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

/// A live session that was opened with an identity of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderSession {
    /// The session.
    pub id: SessionId,
    /// Its user.
    pub user_id: UserId,
    /// The identity.
    pub identity_id: IdentityId,
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

    /// Sessions that can still be ended and were opened with an identity that was last used through this provider, at most
    /// `limit`, by identity, beginning with `from`.
    async fn list_provider_sessions(
        &mut self,
        provider: &ProviderName,
        from: IdentityId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<ProviderSession>, StoreError>;
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

    /// Ends the user's oldest live sessions, at most `limit`, so that no more than `keep` live on, and says which. By one
    /// statement; the user is locked, or many sign-ins at once would each count without the others. The rows are due to
    /// be removed at once.
    async fn end_oldest_sessions(
        &mut self,
        user: UserId,
        keep: u32,
        limit: u32,
        at: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError>;

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

    /// Records that the user proved a factor in a session: a second one if the methods contain
    /// [`MultiFactor`](crate::auth_methods::AuthMethod::MultiFactor).
    async fn record_proof(&mut self, id: SessionId, proof: Proof) -> Result<(), StoreError>;

    /// Notes when sessions were last used; an older moment than the one that is kept changes nothing.
    async fn touch_sessions(&mut self, uses: &[(SessionId, Timestamp)]) -> Result<(), StoreError>;

    /// Removes at most so many sessions that are past their idle end, the longest past first, and says how many.
    async fn remove_expired_sessions(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
