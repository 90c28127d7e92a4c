//! Rows to domain types and back.

use denizen_domain::access::Origin;
use denizen_domain::id::{SessionId, UserId};
use denizen_domain::page::{Page, Start};
use denizen_domain::roles::RoleName;
use denizen_domain::sessions::{Session, SessionState};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::{Attributes, DisplayName, EmailAddress, Locale, Status, User, UserFilter, search_key};
use rusqlite::Row;
use uuid::Uuid;

use crate::error::broken;

/// How much of a name is searched, in bytes; other databases bound what they index.
const NAME_KEY_BYTES_MAX: usize = 1_024;
/// How many uses are brought to the database by one statement.
pub(crate) const TOUCHED_AT_ONCE_MAX: usize = 500;
/// How many events are written by one statement.
pub(crate) const EVENT_ROWS_AT_ONCE_MAX: usize = 500;

/// A row of `users`, in the order of the columns in `queries/find_user.sql`.
pub(crate) struct UserRow {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) email_verified: bool,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) status: String,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) last_sign_in_at: Option<i64>,
    pub(crate) version: i64,
    pub(crate) locale: Option<String>,
    pub(crate) attributes: String,
}

impl UserRow {
    /// Reads the row of `queries/find_user.sql`.
    pub(crate) fn read_in_place(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: Uuid::from_bytes(row.get(0)?),
            email: row.get(1)?,
            email_verified: row.get(2)?,
            name: row.get(3)?,
            role: row.get(4)?,
            status: row.get(5)?,
            created_at: row.get(6)?,
            updated_at: row.get(7)?,
            last_sign_in_at: row.get(8)?,
            version: row.get(9)?,
            locale: row.get(10)?,
            attributes: row.get(11)?,
        })
    }
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: UserId::from_uuid(row.id),
            email: EmailAddress::from_stored(row.email),
            email_verified: row.email_verified,
            name: DisplayName::from_stored(row.name),
            role: RoleName::from_stored(row.role),
            status: status(&row.status)?,
            locale: row.locale.map(Locale::from_stored),
            attributes: Attributes::from_stored(serde_json::from_str(&row.attributes).map_err(broken)?),
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
            last_sign_in_at: row.last_sign_in_at.map(Timestamp::from_micros),
            version: row.version,
        })
    }
}

/// A row of `queries/session_state.sql`, in the order of its columns.
pub(crate) struct SessionStateRow {
    pub(crate) user_id: Uuid,
    pub(crate) role: String,
    pub(crate) permissions: Option<String>,
    pub(crate) status: String,
    pub(crate) generation: i64,
    pub(crate) refreshed_at: i64,
    pub(crate) idle_expires_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) proven_at: i64,
    pub(crate) second_factor_at: Option<i64>,
    pub(crate) owes_second_factor: bool,
    pub(crate) is_ended: bool,
}

impl SessionStateRow {
    /// Reads the row of `queries/session_state.sql`.
    pub(crate) fn read_in_place(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            user_id: Uuid::from_bytes(row.get(0)?),
            role: row.get(1)?,
            permissions: row.get(2)?,
            status: row.get(3)?,
            generation: row.get(4)?,
            refreshed_at: row.get(5)?,
            idle_expires_at: row.get(6)?,
            expires_at: row.get(7)?,
            proven_at: row.get(8)?,
            second_factor_at: row.get(9)?,
            owes_second_factor: row.get(10)?,
            is_ended: row.get(11)?,
        })
    }
}

impl TryFrom<SessionStateRow> for SessionState {
    type Error = StoreError;

    fn try_from(row: SessionStateRow) -> Result<Self, StoreError> {
        let role = RoleName::from_stored(row.role);
        Ok(Self {
            user_id: UserId::from_uuid(row.user_id),
            permissions: role.permissions(row.permissions.as_deref()),
            role,
            status: status(&row.status)?,
            generation: row.generation,
            refreshed_at: Timestamp::from_micros(row.refreshed_at),
            idle_expires_at: Timestamp::from_micros(row.idle_expires_at),
            expires_at: Timestamp::from_micros(row.expires_at),
            proven_at: Timestamp::from_micros(row.proven_at),
            second_factor_at: row.second_factor_at.map(Timestamp::from_micros),
            owes_second_factor: row.owes_second_factor,
            is_ended: row.is_ended,
        })
    }
}

/// A row of `queries/list_sessions.sql`.
pub(crate) struct SessionRow {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) generation: i64,
    pub(crate) created_at: i64,
    pub(crate) refreshed_at: i64,
    pub(crate) idle_expires_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) last_used_at: i64,
    pub(crate) proven_at: i64,
    pub(crate) second_factor_at: Option<i64>,
    pub(crate) address: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) label: Option<String>,
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        let address = row.address.map(|address| address.parse()).transpose().map_err(broken)?;
        Ok(Self {
            id: SessionId::from_uuid(row.id),
            user_id: UserId::from_uuid(row.user_id),
            generation: row.generation,
            created_at: Timestamp::from_micros(row.created_at),
            refreshed_at: Timestamp::from_micros(row.refreshed_at),
            idle_expires_at: Timestamp::from_micros(row.idle_expires_at),
            expires_at: Timestamp::from_micros(row.expires_at),
            last_used_at: Timestamp::from_micros(row.last_used_at),
            proven_at: Timestamp::from_micros(row.proven_at),
            second_factor_at: row.second_factor_at.map(Timestamp::from_micros),
            origin: Origin { address, user_agent: row.user_agent, language: None },
            label: row.label.map(DisplayName::from_stored),
        })
    }
}

/// The text form of attributes.
pub(crate) fn attributes_json(attributes: &Attributes) -> Result<String, StoreError> {
    serde_json::to_string(attributes.as_object()).map_err(broken)
}

/// The form of a name that is searched.
pub(crate) fn name_key(name: &DisplayName) -> String {
    let mut key = search_key(name.as_str());
    key.truncate(key.floor_char_boundary(NAME_KEY_BYTES_MAX));
    key
}

/// The texts that begin with a prefix, as a half-open range.
pub(crate) struct PrefixRange {
    pub(crate) from: String,
    pub(crate) to: String,
}

impl PrefixRange {
    /// The range that a filter asks for. Every text begins with the empty prefix.
    pub(crate) fn of(filter: &UserFilter) -> Option<Self> {
        let prefix = filter.prefix.as_deref().filter(|prefix| !prefix.is_empty())?;
        let from = prefix[..prefix.floor_char_boundary(NAME_KEY_BYTES_MAX)].to_owned();
        // The last code point sorts after whatever follows the prefix, and no name contains it.
        let to = format!("{from}\u{10FFFF}");
        Some(Self { from, to })
    }
}

/// The part of a list that is asked for, in terms that every list query shares.
pub(crate) struct Window {
    pub(crate) before_created_at: i64,
    pub(crate) before_id: Uuid,
    pub(crate) limit: i64,
    pub(crate) offset: i64,
}

impl From<Page> for Window {
    fn from(page: Page) -> Self {
        // Without a cursor the page begins before a place that is after all others.
        let (before_created_at, before_id, offset) = match page.start {
            Start::Offset(offset) => (i64::MAX, Uuid::max(), offset.into()),
            Start::After(position) => (position.created_at.as_micros(), position.id, 0),
        };
        Self { before_created_at, before_id, limit: page.limit.into(), offset }
    }
}

/// The lower bound of a list of users; before every moment when there is none.
pub(crate) fn created_after(filter: &UserFilter) -> i64 {
    filter.created_after.map_or(i64::MIN, Timestamp::as_micros)
}

/// When credentials were last used, as the JSON array of `[id in hexadecimal, moment]` that `queries/touch_*.sql` read.
pub(crate) fn uses_json(uses: impl Iterator<Item = (Uuid, Timestamp)>) -> Result<String, StoreError> {
    let pairs: Vec<_> = uses.map(|(id, at)| (id.simple().to_string(), at.as_micros())).collect();
    serde_json::to_string(&pairs).map_err(broken)
}

/// Reads the stored name of a status.
pub(crate) fn status(stored: &str) -> Result<Status, StoreError> {
    Status::parse(stored).ok_or_else(|| broken(format!("the stored status {stored:?} is unknown")))
}
