//! Passwords: chosen, tried and stored.

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use crate::error::RuleBroken;

/// The shortest password that configuration can allow, in characters (NIST SP 800-63B §5.1.1.2).
pub const PASSWORD_CHARS_MIN: u32 = 8;
/// The longest password, in characters.
pub const PASSWORD_CHARS_MAX: u32 = 128;
/// The longest password, in bytes as given; checked before any work is done on it.
pub const PASSWORD_BYTES_MAX: usize = 512;

/// A password that may be hashed: it keeps every rule, or it proved right. A chosen one begins as a
/// [`NewPassword`](super::NewPassword).
#[derive(Debug)]
pub struct Password(SecretString);

impl Password {
    pub(super) fn from_accepted(normalised: SecretString) -> Self {
        Self(normalised)
    }

    /// The tried password once it proved right, to hash it anew. Rules newer than the account do not apply.
    #[must_use]
    pub fn from_verified(attempt: &PasswordAttempt) -> Self {
        Self(attempt.normalised.clone())
    }

    /// The password itself, for the hasher.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A password to be verified, in NFC and as typed. Only bounded: an imported account may have a short one.
#[derive(Debug)]
pub struct PasswordAttempt {
    normalised: SecretString,
    typed: SecretString,
}

impl PasswordAttempt {
    /// Reads a tried password.
    ///
    /// # Errors
    /// `required` or `too_long`.
    pub fn parse(raw: &SecretString) -> Result<Self, RuleBroken> {
        if raw.expose_secret().is_empty() {
            return Err(RuleBroken::new("required", "must not be empty"));
        }
        Ok(Self { normalised: normalise(raw)?, typed: raw.clone() })
    }

    /// The password in NFC, as our own hashes have it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.normalised.expose_secret()
    }

    /// The password as typed, byte for byte: for systems that did not normalise it.
    #[must_use]
    pub fn expose_typed(&self) -> &str {
        self.typed.expose_secret()
    }

    /// The forms to verify against a stored hash: NFC and, if it differs, the password as typed.
    pub fn forms(&self) -> impl Iterator<Item = &str> {
        let typed = Some(self.expose_typed()).filter(|typed| *typed != self.expose());
        std::iter::once(self.expose()).chain(typed)
    }
}

/// A password hash in its encoded form (PHC string for our own).
#[derive(Debug, Clone)]
pub struct PasswordHash(SecretString);

impl PasswordHash {
    /// Takes over what a hasher made or a store kept.
    #[must_use]
    pub fn from_encoded(encoded: String) -> Self {
        Self(encoded.into())
    }

    /// The encoded form, for the hasher and the store.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

pub(super) fn normalise(raw: &SecretString) -> Result<SecretString, RuleBroken> {
    let raw = raw.expose_secret();
    if raw.len() > PASSWORD_BYTES_MAX {
        return Err(too_long());
    }
    // Room for the longest NFC form from the start: a growing string leaves copies behind.
    let mut normalised = String::with_capacity(raw.len() * 3);
    normalised.extend(raw.nfc());
    Ok(normalised.into())
}

pub(super) fn too_long() -> RuleBroken {
    let message = format!("must be at most {PASSWORD_CHARS_MAX} characters and {PASSWORD_BYTES_MAX} bytes long");
    RuleBroken::new("too_long", message)
}

#[cfg(test)]
mod tests {
    use super::PasswordAttempt;

    #[test]
    fn both_forms_of_a_letter_are_one_attempt() {
        assert_eq!(PasswordAttempt::parse(&"e\u{301}".into()).unwrap().expose(), "é");
    }

    #[test]
    fn an_attempt_has_the_typed_form_only_where_it_differs() {
        let forms =
            |raw: &str| PasswordAttempt::parse(&raw.into()).unwrap().forms().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(forms("é"), ["é"]);
        assert_eq!(forms("e\u{301}"), ["é", "e\u{301}"]);
    }

    #[test]
    fn an_attempt_is_bounded_and_never_prints() {
        let code = |raw: &str| PasswordAttempt::parse(&raw.into()).map(drop).map_err(|rule| rule.code);
        assert_eq!((code(""), code("a"), code(&"a".repeat(513))), (Err("required"), Ok(()), Err("too_long")));
        let attempt = PasswordAttempt::parse(&"correct horse".into()).unwrap();
        assert!(!format!("{attempt:?}").contains("horse"));
    }
}
