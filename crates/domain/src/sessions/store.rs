//! What sessions need of a store.

use async_trait::async_trait;

use super::{EndReason, Session, SessionState};
use crate::id::{SessionId, UserId};
use crate::store::StoreError;
use crate::time::Timestamp;

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
