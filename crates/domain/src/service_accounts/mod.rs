//! Service accounts: programs that act on their own behalf, by API keys and by tokens they get for them.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod store;
pub mod update;

pub use create::{NewServiceAccount, create};
pub use delete::delete;
pub use get::get;
pub use list::list;
pub use update::{ServiceAccountChange, update};

use crate::id::ServiceAccountId;
use crate::page::Position;
use crate::roles::{Description, RoleName};
use crate::time::Timestamp;
use crate::users::{DisplayName, Status};

/// The account of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Names it for ever; its `client_id` (RFC 6749 §2.2).
    pub id: ServiceAccountId,
    /// Display name.
    pub name: DisplayName,
    /// Description.
    pub description: Description,
    /// The role.
    pub role: RoleName,
    /// Whether its keys work: active or disabled.
    pub status: Status,
    /// Creation time.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Counts the changes; what `If-Match` compares.
    pub version: i64,
}

impl ServiceAccount {
    /// Its place in a list.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { created_at: self.created_at, id: self.id.as_uuid() }
    }
}
