//! What a unit of work does about those that run beside it.

use denizen_domain::authority::Authority;
use denizen_domain::id::{SessionId, UserId};
use denizen_domain::roles::RoleKey;
use denizen_domain::sessions::SessionState;
use denizen_domain::store::StoreError;
use denizen_domain::users::User;
use uuid::Uuid;

/// What a write locks before it reads, and which changes it makes known with its commit. Where one transaction writes at
/// a time, no locks are needed.
pub(crate) trait Concurrency {
    /// Locks an account or a role exclusively, before any other lock.
    async fn lock_authority(&mut self, of: impl Into<Authority>) -> Result<(), StoreError>;

    /// The same for the role with a key; false when it is known that there is none.
    async fn lock_role_by(&mut self, key: &RoleKey) -> Result<bool, StoreError>;

    /// The same for the account that has a session; false when it is known that there is no such session.
    async fn lock_owner_of(&mut self, session: SessionId) -> Result<bool, StoreError>;

    /// Locks the set of active administrators: of two transactions that may remove the last one, one waits.
    async fn lock_administrators(&mut self) -> Result<(), StoreError>;

    /// Locks the sealed root keys against other writes: the next statement sees what the holder before committed.
    async fn lock_root_keys(&mut self) -> Result<(), StoreError>;

    /// Locks the log of events against those who give events their place, and those who remove some.
    async fn lock_event_log(&mut self) -> Result<(), StoreError>;

    /// The state of a session, if one statement reads it together with a row that the transaction needs next.
    async fn session_state_ahead(&mut self, _: SessionId) -> Result<Option<Option<SessionState>>, StoreError> {
        Ok(None)
    }

    /// The user, if the statement before has locked and read the row already.
    fn user_read_ahead(&mut self, _: UserId) -> Option<User> {
        None
    }

    /// Notes that this session, API key, user or service account changes: every node forgets it with the commit.
    fn changed(&mut self, id: Uuid);

    /// The same for many: a role, that is, all accounts that have it.
    fn changed_everything(&mut self);

    /// Notes a change that other nodes may notice seconds later.
    fn changed_here(&mut self, id: Uuid);

    /// From here on statements are planned for their values: a plan for any values would be one for average values, wrong for the
    /// rare role and for the page that begins at the top.
    async fn plan_for_values(&mut self) -> Result<(), StoreError>;

    /// From here on plans are kept: to plan a look-up takes half of its time. Should it not come to this, the connection plans more
    /// than it needs to, and nothing else.
    async fn plan_as_usual(&mut self) -> Result<(), StoreError>;
}
