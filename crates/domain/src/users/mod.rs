//! Users: what an account is, and the rules its parts keep.

mod attributes;
mod carried_mac;
mod email;
mod email_domain;
mod locale;
mod name;
mod recorded;
mod schema;
mod totals;

pub mod change_email;
pub mod create;
pub mod data;
pub mod delete;
pub mod export;
pub mod get;
pub mod import;
pub mod invite;
pub mod list;
pub mod restore;
pub mod store;
pub mod update;

pub(crate) use attributes::value_bytes;
pub use attributes::{ATTRIBUTES_BYTES_MAX, ATTRIBUTES_DEPTH_MAX, ATTRIBUTES_VALUES_MAX, Attributes};
pub use carried_mac::CarriedMac;
pub(crate) use create::is_pending;
pub use create::{NewUser, SignUp, create, sign_up};
pub use data::{UserData, data, data_events};
pub use delete::{DeletionTime, delete, purge};
pub use email::{EmailAddress, TypedEmail};
pub use email_domain::EmailDomain;
pub(crate) use email_domain::require_allowed_domain;
pub use export::{CredentialExport, ExportedUser, export_credentials};
pub use get::{get, get_by_email, get_many};
pub use import::{
    ImportApiKey, ImportCredentials, ImportIdentity, ImportIds, ImportMode, ImportOptions, ImportOutcome,
    ImportPasskey, ImportTotp, ImportUser, ImportedLine, NotCarried, OnConflict, import,
};
pub(crate) use invite::activate;
pub use invite::{Invitation, accept, invite};
pub use list::{UserFilter, list};
pub use locale::Locale;
pub use name::{DisplayName, search_key};
pub(crate) use recorded::{created, record_update};
pub use restore::restore;
pub use schema::{AttributesSchema, AttributesSchemas};
pub use totals::Totals;
pub use update::{AttributesChange, UserChange, update};

use crate::id::UserId;
use crate::page::Position;
use crate::roles::RoleName;
use crate::time::Timestamp;

/// An account.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Names it for ever.
    pub id: UserId,
    /// The address in its canonical form; unique.
    pub email: EmailAddress,
    /// Whether the email address is verified.
    pub email_verified: bool,
    /// Display name.
    pub name: DisplayName,
    /// The role.
    pub role: RoleName,
    /// The status of the user.
    pub status: Status,
    /// The language that they read, when it is known.
    pub locale: Option<Locale>,
    /// A bounded JSON object that the user writes themselves: never decide by it what they may do.
    pub attributes: Attributes,
    /// A bounded JSON object that administrators and programs with `users:write` set, and the user can read.
    pub app_attributes: Attributes,
    /// Creation time.
    pub created_at: Timestamp,
    /// When it last changed. A sign-in is not a change.
    pub updated_at: Timestamp,
    /// When they last signed in.
    pub last_sign_in_at: Option<Timestamp>,
    /// Counts the changes; what `If-Match` compares.
    pub version: i64,
    /// The scheduled deletion, if there is one. The user is then disabled.
    pub deletion: Option<Deletion>,
}

/// A deletion after a grace period (`users.deletion_grace_days`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// When the user is deleted.
    pub after: Timestamp,
    /// The status that the user had before, and gets again when restored.
    pub status_before: Status,
}

impl User {
    /// Its place in a list.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { created_at: self.created_at, id: self.id.as_uuid() }
    }

    /// Whether the account can administer.
    #[must_use]
    pub fn is_active_admin(&self) -> bool {
        self.status == Status::Active && self.role == RoleName::admin()
    }
}

/// Whether a user can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Can sign in.
    Active,
    /// Cannot sign in; sessions are over.
    Disabled,
    /// Has been asked to join and has not yet.
    Invited,
}

impl Status {
    /// Every status.
    pub const ALL: &[Self] = &[Self::Active, Self::Disabled, Self::Invited];

    /// Reads the name of a status.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.as_str() == raw)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Invited => "invited",
        }
    }
}
