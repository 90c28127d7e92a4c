//! Sessions: one row from sign-in to sign-out, which never multiplies.
//!
//! The row carries what the derived refresh token needs: the token of generation *n* is a MAC over the
//! session's id and *n*, so nothing that signs in is kept.

pub mod challenge;
mod device;
pub mod end;
pub mod enrol_passkey;
mod finished;
mod issue;
pub mod link_passkey;
pub mod list;
mod migrate;
mod open;
pub mod passkey;
pub mod passwordless;
pub mod purge;
pub mod refresh;
pub mod sign_in;
pub mod step_up;
pub mod store;
mod totals;

pub use challenge::{Challenged, Finished, Owed, enrol, finish};
pub(crate) use challenge::{Pending, sign_in_proven};
pub use device::{Device, DeviceClaim, PREFIX as DEVICE_PREFIX, TTL_S as DEVICE_TTL_S, device_token};
pub(crate) use end::{are_of_provider, end_all, end_all_by, end_of_provider, end_one, end_others};
pub use end::{end, end_by_refresh_token, end_current, end_of_user};
pub(crate) use finished::finished;
pub use issue::SignedIn;
pub use list::list;
pub use passwordless::{follow_link, request_code, request_link};
pub use purge::purge;
pub use refresh::{refresh, session_of};
pub use sign_in::{Outcome, sign_in};
pub use step_up::step_up;
pub use totals::{SignInMethod, SignInResult, SignInTotals};

use crate::access::{Origin, Permissions};
use crate::auth_methods::{AuthMethods, Authenticated};
use crate::id::{SessionId, UserId};
use crate::page::Position;
use crate::roles::RoleName;
use crate::time::Timestamp;
use crate::tokens::Authentication;
use crate::users::{DisplayName, Status};

/// A sign-in that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Names it; the claim `sid`.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// How often it was refreshed.
    pub generation: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// Time of the last refresh.
    pub refreshed_at: Timestamp,
    /// When it ends unless it is refreshed before.
    pub idle_expires_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// Time of the last use, accurate to about one minute.
    pub last_used_at: Timestamp,
    /// When its user last proved any factor in it.
    pub proven_at: Timestamp,
    /// When its user last proved a second factor in it.
    pub second_factor_at: Option<Timestamp>,
    /// How its user authenticated.
    pub authenticated: Authenticated,
    /// From where it was opened.
    pub origin: Origin,
    /// The device label.
    pub label: Option<DisplayName>,
}

impl Session {
    /// Its place in a list.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { created_at: self.created_at, id: self.id.as_uuid() }
    }
}

/// What a request needs to know of a session and its user: one read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionState {
    /// Whose it is.
    pub user_id: UserId,
    /// The user's role now.
    pub role: RoleName,
    /// What that role may do now.
    pub permissions: Permissions,
    /// The user's status now.
    pub status: Status,
    /// How often it was refreshed.
    pub generation: i64,
    /// Time of the last refresh.
    pub refreshed_at: Timestamp,
    /// When it ends unless it is refreshed before.
    pub idle_expires_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// When its user last proved any factor in it.
    pub proven_at: Timestamp,
    /// When its user last proved a second factor in it.
    pub second_factor_at: Option<Timestamp>,
    /// How its user authenticated.
    pub auth_methods: AuthMethods,
    /// Whether it owes a second factor: the user has one, or their role demands one, and none was proven in it.
    pub owes_second_factor: bool,
    /// Whether it was ended.
    pub is_ended: bool,
}

impl SessionState {
    /// When and how the user authenticated.
    #[must_use]
    pub const fn authentication(&self) -> Authentication {
        Authentication { at: self.proven_at, methods: self.auth_methods }
    }

    /// Whether the session works at this moment: not over, not expired, the user active, and nothing owed.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.is_ended
            && !self.owes_second_factor
            && self.status == Status::Active
            && self.idle_expires_at > now
            && self.expires_at > now
    }
}

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The user signed out.
    SignedOut,
    /// The user, or somebody who may, ended it from elsewhere.
    Revoked,
    /// The user was disabled.
    UserDisabled,
    /// The user was deleted.
    UserDeleted,
    /// The password was changed.
    PasswordChanged,
    /// A second factor was added or taken away.
    SecondFactorChanged,
    /// The user opened more sessions than one may have; this was the oldest.
    TooManySessions,
    /// A refresh token was used again after its time: somebody else may hold it.
    RefreshTokenReused,
    /// It was opened through an outside provider that was disabled or deleted.
    ProviderDisabled,
    /// The database was restored from a backup in which the session was live.
    DatabaseRestored,
}

impl EndReason {
    /// Its stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Revoked => "revoked",
            Self::UserDisabled => "user_disabled",
            Self::UserDeleted => "user_deleted",
            Self::PasswordChanged => "password_changed",
            Self::SecondFactorChanged => "second_factor_changed",
            Self::TooManySessions => "too_many_sessions",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::ProviderDisabled => "provider_disabled",
            Self::DatabaseRestored => "database_restored",
        }
    }
}
