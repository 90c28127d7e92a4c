//! What users need of a store.

use async_trait::async_trait;

use super::{EmailAddress, User, UserFilter};
use crate::id::UserId;
use crate::page::{Count, Page};
use crate::store::StoreError;
use crate::time::Timestamp;

/// Reading users.
#[async_trait]
pub trait UserReads {
    /// The user with this id.
    async fn find_user(&mut self, id: UserId) -> Result<Option<User>, StoreError>;

    /// The user with this address.
    async fn find_user_by_email(&mut self, email: &EmailAddress) -> Result<Option<User>, StoreError>;

    /// From when device tokens of the user count; `None` when all of them do, or there is no such user.
    async fn devices_since(&mut self, id: UserId) -> Result<Option<Timestamp>, StoreError>;

    /// The users with these ids, in any order, by few statements; those who do not exist are left out.
    async fn find_users(&mut self, ids: &[UserId]) -> Result<Vec<User>, StoreError>;

    /// The users of one page, newest first. Reads no more rows than it returns, an offset aside.
    async fn list_users(&mut self, filter: &UserFilter, page: Page) -> Result<Vec<User>, StoreError>;

    /// How many users pass the filter, [counted](Count::up_to) up to `max`. With a prefix and another filter the answer may be
    /// [`Count::AtLeast`] fewer than `max`, because no more than `max` rows are read for it.
    async fn count_users(&mut self, filter: &UserFilter, max: u64) -> Result<Count, StoreError>;
}

/// Writing users.
#[async_trait]
pub trait UserWrites {
    /// Adds a user; `false`, and nothing done, when the address is taken.
    async fn insert_user(&mut self, user: &User) -> Result<bool, StoreError>;

    /// Adds the users whose id and address are not taken, in their order, and returns their ids in any order. Of several with
    /// the same address or id the first is added.
    async fn insert_users(&mut self, users: &[&User]) -> Result<Vec<UserId>, StoreError>;

    /// The user with this id, held against other writers until the transaction ends.
    async fn lock_user(&mut self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Replaces a [locked](Self::lock_user) user; `false` when the address is taken, and then the
    /// transaction must be dropped.
    async fn update_user(&mut self, user: &User) -> Result<bool, StoreError>;

    /// Removes a user and everything that belongs to it; `false` when there is none.
    async fn delete_user(&mut self, id: UserId) -> Result<bool, StoreError>;

    /// Takes at most so many users whose [deletion](User::deletion) is due at `now`, the earliest first, and makes them due
    /// again at `until`. No other transaction takes them until then. Not a change: the version stays.
    async fn take_due_deletions(
        &mut self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<UserId>, StoreError>;

    /// Notes a sign-in. Not a change: the version stays, and an earlier moment than the noted one is left out.
    async fn record_sign_in(&mut self, id: UserId, at: Timestamp) -> Result<(), StoreError>;

    /// Makes device tokens issued before this moment count no more, nor those of the last sign-in, should that be later.
    /// Not a change: the version stays.
    async fn forget_devices(&mut self, id: UserId, at: Timestamp) -> Result<(), StoreError>;

    /// Whether somebody other than this user is an active admin. Until the transaction ends, no other
    /// transaction gets an answer: two admins who remove each other cannot both succeed.
    async fn has_other_active_admin(&mut self, id: UserId) -> Result<bool, StoreError>;
}
