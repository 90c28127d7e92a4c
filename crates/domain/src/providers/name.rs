//! Names of providers.

use std::fmt;

use crate::error::RuleBroken;

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 32;
/// Path segments below `/auth` and `/sessions` that have another meaning.
const RESERVED: &[&str] =
    &["providers", "current", "refresh", "exchange", "challenges", "codes", "magic-links", "passkeys", "csrf-token"];

/// The name of a provider: a lower-case letter, then up to 31 lower-case letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderName(String);

impl ProviderName {
    /// Reads a name.
    ///
    /// # Errors
    /// `invalid_provider_name`.
    pub fn parse(raw: &str) -> Result<Self, RuleBroken> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_name = raw.len() <= NAME_CHARS_MAX
            && raw.starts_with(|first: char| first.is_ascii_lowercase())
            && raw.bytes().all(is_plain)
            && !RESERVED.contains(&raw);
        if is_name {
            return Ok(Self(raw.to_owned()));
        }
        let message = format!(
            "must be a lowercase letter, followed by at most {} of a-z, 0-9 and -, and none of {}",
            NAME_CHARS_MAX - 1,
            RESERVED.join(", ")
        );
        Err(RuleBroken::new("invalid_provider_name", message))
    }

    /// Wraps a stored name.
    #[must_use]
    pub fn from_stored(name: String) -> Self {
        Self(name)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
