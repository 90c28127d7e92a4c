//! API keys: what a program sends in place of signing in. Owned by a user or a service account, and never
//! able to do more than the owner can at that moment.

pub mod authenticate;
pub mod create;
pub mod get;
pub mod list;
mod owner;
pub mod revoke;
pub mod rotate;
pub mod secret;
pub mod store;

pub use create::{IssuedKey, NewApiKey, create};
pub use get::get;
pub use list::{KeyFilter, list};
pub(crate) use revoke::delete_all;
pub use revoke::revoke;
pub use rotate::{OVERLAP_DEFAULT_S, OVERLAP_MAX_S, rotate};
pub use secret::PREFIX;

use crate::access::{Permissions, Subject};
use crate::id::ApiKeyId;
use crate::page::Position;
use crate::roles::RoleName;
use crate::time::Timestamp;
use crate::users::{DisplayName, Status};

/// An API key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Names it, whatever its secret is at the moment.
    pub id: ApiKeyId,
    /// Whose it is.
    pub owner: Subject,
    /// Display name.
    pub name: DisplayName,
    /// What it may do, as far as its owner may.
    pub scopes: Permissions,
    /// Expiry time; `None` if the key does not expire.
    pub expires_at: Option<Timestamp>,
    /// Creation time.
    pub created_at: Timestamp,
    /// Time of the last rotation.
    pub rotated_at: Option<Timestamp>,
    /// Time of the last use, accurate to about one minute.
    pub last_used_at: Option<Timestamp>,
    /// Counts the changes; what `If-Match` compares. A use is not a change.
    pub version: i64,
}

impl ApiKey {
    /// Its place in a list.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { created_at: self.created_at, id: self.id.as_uuid() }
    }
}

/// What is kept of a secret: a MAC under a key that is not in the database.
pub type SecretHash = [u8; 32];

/// What a request needs to know of a key and its owner: one read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyState {
    /// Whose it is.
    pub owner: Subject,
    /// The owner's role now.
    pub role: RoleName,
    /// What that role may do now.
    pub permissions: Permissions,
    /// The owner's status now.
    pub status: Status,
    /// What the key may do, as far as its owner may.
    pub scopes: Permissions,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// The digest of its secret.
    pub secret_hash: SecretHash,
    /// The digest of the secret before, and how long that still works.
    pub previous: Option<(SecretHash, Timestamp)>,
}

impl ApiKeyState {
    /// Whether the key works at this moment: not expired, its owner active.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.status == Status::Active && self.expires_at.is_none_or(|expires_at| expires_at > now)
    }

    /// What the key may do now.
    #[must_use]
    pub fn effective(&self) -> Permissions {
        self.scopes.and(self.permissions)
    }
}
