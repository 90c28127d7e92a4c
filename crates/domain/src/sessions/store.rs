//! What sessions need of a store.

use async_trait::async_trait;

use super::{EndReason, Session, SessionState};
use crate::id::{SessionId, UserId};
use crate::store::StoreError;
use crate::time::Timestamp;

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

/// Reading sessions.
#[async_trait]
pub trait SessionReads {
    /// What a request needs to know of a session: on the path of every authenticated request.
    async fn session_state(&mut self, id: SessionId) -> Result<Option<SessionState>, StoreError>;
}

/// Writing sessions.
#[async_trait]
pub trait SessionWrites {
    /// Adds a session.
    async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError>;

    /// Moves a live session from one generation to the next, by one conditional statement; `false`, and
    /// nothing done, when it is of another generation, or over.
    async fn rotate_session(&mut self, rotation: &Rotation) -> Result<bool, StoreError>;

    /// Ends a session; `false` when it is over already or does not exist.
    async fn end_session(&mut self, id: SessionId, reason: EndReason, at: Timestamp) -> Result<bool, StoreError>;

    /// Ends every live session of the user and says how many.
    async fn end_user_sessions(&mut self, user: UserId, reason: EndReason, at: Timestamp) -> Result<u64, StoreError>;

    /// Ends every live session of the user but one and says how many.
    async fn end_other_sessions(
        &mut self,
        user: UserId,
        keep: SessionId,
        reason: EndReason,
        at: Timestamp,
    ) -> Result<u64, StoreError>;
}
