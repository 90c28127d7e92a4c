//! Who asks, and the policy table: which role holds which permissions.

use std::fmt;
use std::net::IpAddr;

use crate::id::{SessionId, UserId};
use crate::roles::RoleName;

/// One thing that a role can be allowed to do. The text form is the OAuth scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Permission {
    /// See every user.
    UsersRead,
    /// Create, change and delete every user, their role and status included.
    UsersWrite,
}

impl Permission {
    /// The catalogue.
    pub const ALL: &[Self] = &[Self::UsersRead, Self::UsersWrite];

    /// The scope that stands for it in a token.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
        }
    }
}

/// A set of permissions, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u64);

impl Permissions {
    /// Exactly these.
    #[must_use]
    pub const fn of(list: &[Permission]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < list.len() {
            bits |= 1 << list[at] as u8;
            at += 1;
        }
        Self(bits)
    }

    /// Whether the permission is in the set.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u8) != 0
    }

    /// The members in catalogue order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |&permission| self.contains(permission))
    }
}

impl fmt::Display for Permissions {
    /// The space-separated form of the claim `scope` (RFC 8693 §4.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, permission) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(permission.as_str())?;
        }
        Ok(())
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Nobody who is known.
    Anonymous,
    /// A signed-in user.
    User(Principal),
    /// Somebody with the machine in their hands: the command line. May do everything.
    Operator,
}

/// A user with a live session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who.
    pub user_id: UserId,
    /// By which session.
    pub session_id: SessionId,
    /// The role as it is now, not as it was when the token was made.
    pub role: RoleName,
    /// What that role may do.
    pub permissions: Permissions,
}

/// Where a request comes from, kept with the session it opens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, as far as trusted proxies tell it.
    pub address: Option<IpAddr>,
    /// The `User-Agent` header, cut to 256 characters.
    pub user_agent: Option<String>,
}
