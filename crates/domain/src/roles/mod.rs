//! Roles: named sets of permissions. Two are built in.

use std::fmt;

use crate::access::{Permission, Permissions};
use crate::error::RuleBroken;

/// The name of a role that exists.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoleName(String);

/// The policy table.
const BUILT_IN: &[(&str, &[Permission])] =
    &[("admin", &[Permission::UsersRead, Permission::UsersWrite]), ("user", &[])];

impl RoleName {
    /// The role that holds every permission.
    #[must_use]
    pub fn admin() -> Self {
        Self("admin".to_owned())
    }

    /// The role of whoever signs up.
    #[must_use]
    pub fn user() -> Self {
        Self("user".to_owned())
    }

    /// Reads the name of a role that exists.
    ///
    /// # Errors
    /// `unknown_role` when there is no such role.
    pub fn parse(raw: &str) -> Result<Self, RuleBroken> {
        if BUILT_IN.iter().any(|(name, _)| *name == raw) {
            Ok(Self(raw.to_owned()))
        } else {
            Err(RuleBroken::new("unknown_role", "must be the name of a role: admin or user"))
        }
    }

    /// Takes over a name that a store kept.
    #[must_use]
    pub fn from_stored(name: String) -> Self {
        Self(name)
    }

    /// What the role may do; nothing when it no longer exists.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        let row = BUILT_IN.iter().find(|(name, _)| *name == self.0);
        row.map(|(_, permissions)| Permissions::of(permissions)).unwrap_or_default()
    }

    /// The bare name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
