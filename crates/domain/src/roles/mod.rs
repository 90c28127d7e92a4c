//! Roles: named sets of permissions. Two are built in and stay as they are.

pub mod create;
pub mod delete;
pub mod get;
mod held;
pub mod list;
mod name;
pub mod store;
pub mod update;

pub use create::{NewRole, create};
pub use delete::delete;
pub use get::get;
pub(crate) use held::{
    permissions_of, require_authority, require_authority_over, require_grantable, require_known, require_outranked,
};
pub use list::list;
pub use name::{Description, RoleName};
pub use update::{RoleChange, update};

use crate::access::Permissions;
use crate::ctx::Ctx;
use crate::error::{FieldError, Result};
use crate::id::RoleId;
use crate::page::Position;
use crate::time::Timestamp;

/// A named set of permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Names it for ever.
    pub id: RoleId,
    /// The name of the role; unique.
    pub name: RoleName,
    /// Description.
    pub description: Description,
    /// The permissions of the role.
    pub permissions: Permissions,
    /// Whether holders of the role must authenticate with a second factor.
    pub second_factor: SecondFactorPolicy,
    /// Creation time.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Counts the changes; what `If-Match` compares.
    pub version: i64,
}

impl Role {
    /// Its place in a list.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { created_at: self.created_at, id: self.id.as_uuid() }
    }
}

/// Whether those who have a role must prove a second factor to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecondFactorPolicy {
    /// Those who have one must; nobody has to have one.
    #[default]
    Optional,
    /// Users must prove a second factor. Those who have none set one up while signing in.
    Required,
    /// Users must prove a passkey or a security key, which cannot be used on the page of another domain. Those who have none
    /// register one while signing in.
    Passkey,
}

impl SecondFactorPolicy {
    /// Every policy.
    pub const ALL: &[Self] = &[Self::Optional, Self::Required, Self::Passkey];

    /// Whether users must prove a second factor of some kind.
    #[must_use]
    pub fn requires_second_factor(self) -> bool {
        self != Self::Optional
    }

    /// Whether the second factor must be a passkey or a security key.
    #[must_use]
    pub fn requires_passkey(self) -> bool {
        self == Self::Passkey
    }

    /// Refuses a policy that nobody could meet, because the server has no passkeys.
    ///
    /// # Errors
    /// The field `second_factor`.
    pub fn require_available(self, ctx: &Ctx) -> Result<()> {
        if self.requires_passkey() && ctx.services().webauthn.origins().is_empty() {
            let message =
                "needs passkeys, which this server does not offer; configure webauthn.rp_id and webauthn.origins";
            return Err(FieldError::new("second_factor", "passkeys_not_offered", message).into());
        }
        Ok(())
    }

    /// The policy of a role that requires a second factor or not, and a passkey or not.
    #[must_use]
    pub const fn from_stored(requires_second_factor: bool, requires_passkey: bool) -> Self {
        match (requires_second_factor, requires_passkey) {
            (false, _) => Self::Optional,
            (true, false) => Self::Required,
            (true, true) => Self::Passkey,
        }
    }

    /// Reads the name of a policy.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|policy| policy.as_str() == raw)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Optional => "optional",
            Self::Required => "required",
            Self::Passkey => "passkey",
        }
    }
}

/// A role, by whichever of its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleKey {
    /// By its id.
    Id(RoleId),
    /// By its name.
    Name(RoleName),
}
