//! What roles are called, and what is said of them.

use std::fmt;

use crate::access::Permissions;
use crate::error::RuleBroken;
use crate::users::DisplayName;

/// The longest name of a role, in characters.
const NAME_CHARS_MAX: usize = 64;
/// The longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 200;
/// The role that holds every permission.
const ADMIN: &str = "admin";
/// The role of whoever signs up.
const USER: &str = "user";

/// The name of a role: a lower-case letter, then up to 63 lower-case letters, digits, `-`, `_`, `.` and `:`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoleName(String);

impl RoleName {
    /// The role that holds every permission.
    #[must_use]
    pub fn admin() -> Self {
        Self(ADMIN.to_owned())
    }

    /// The role of whoever signs up.
    #[must_use]
    pub fn user() -> Self {
        Self(USER.to_owned())
    }

    /// Reads a name. Whether there is such a role, the store knows.
    ///
    /// # Errors
    /// `invalid_role_name`.
    pub fn parse(raw: &str) -> Result<Self, RuleBroken> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.:".contains(&byte);
        let is_name = raw.len() <= NAME_CHARS_MAX
            && raw.starts_with(|first: char| first.is_ascii_lowercase())
            && raw.bytes().all(is_plain)
            // A name must not be mistaken for an id.
            && uuid::Uuid::try_parse(raw).is_err();
        if is_name {
            return Ok(Self(raw.to_owned()));
        }
        Err(RuleBroken::new(
            "invalid_role_name",
            format!("must be a lowercase letter, followed by at most {} of a-z, 0-9, - _ . and :", NAME_CHARS_MAX - 1),
        ))
    }

    /// Reads a name that should be that of a role there is.
    ///
    /// # Errors
    /// `unknown_role`, when no role can have it.
    pub fn reference(raw: &str) -> Result<Self, RuleBroken> {
        Self::parse(raw).map_err(|_| RuleBroken::new("unknown_role", "must be the name of a role"))
    }

    /// Takes over a name that a store kept.
    #[must_use]
    pub fn from_stored(name: String) -> Self {
        Self(name)
    }

    /// What a built-in role may do, known without asking the store; `None` for any other.
    #[must_use]
    pub fn built_in(&self) -> Option<Permissions> {
        match self.0.as_str() {
            ADMIN => Some(Permissions::ALL),
            USER => Some(Permissions::NONE),
            _ => None,
        }
    }

    /// What the role may do, given what a store kept of it: nothing, when there is no such role.
    #[must_use]
    pub fn permissions(&self, stored: Option<&str>) -> Permissions {
        self.built_in().unwrap_or_else(|| stored.map(Permissions::from_stored).unwrap_or_default())
    }

    /// The bare name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bare name, without a copy.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What something is for: at most 200 characters on one line, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description(String);

impl Description {
    /// Reads a description as people write it.
    ///
    /// # Errors
    /// `too_long` or `invalid_characters`.
    pub fn parse(raw: &str) -> Result<Self, RuleBroken> {
        const { assert!(DESCRIPTION_CHARS_MAX == DisplayName::CHARS_MAX) };
        if raw.trim().is_empty() {
            return Ok(Self::default());
        }
        DisplayName::parse(raw).map(|text| Self(text.as_str().to_owned()))
    }

    /// Takes over a description that a store kept.
    #[must_use]
    pub fn from_stored(description: String) -> Self {
        Self(description)
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::RoleName;
    use crate::access::Permissions;

    #[test]
    fn names_are_plain() {
        for good in ["admin", "a", "billing-team_2.eu:read", &"a".repeat(64)] {
            assert!(RoleName::parse(good).is_ok(), "{good}");
        }
        let uuid = "a19365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e";
        for bad in ["", "Admin", "1st", "-a", "a b", "a\n", "é", "ａdmin", uuid, &"a".repeat(65)] {
            assert_eq!(RoleName::parse(bad).unwrap_err().code, "invalid_role_name", "{bad}");
        }
    }

    #[test]
    fn what_is_built_in_is_not_what_a_store_says() {
        assert_eq!(RoleName::admin().permissions(None), Permissions::ALL);
        assert_eq!(RoleName::user().permissions(Some("users:write")), Permissions::NONE);
        let custom = RoleName::parse("support").unwrap();
        assert_eq!(custom.permissions(None), Permissions::NONE);
        assert_eq!(custom.permissions(Some("users:read unheard:of")).to_string(), "users:read");
    }
}
