//! A code that somebody types.

use secrecy::{ExposeSecret, SecretString};

use super::recovery::{ALPHABET, CODE_CHARS};
use super::totp::DIGITS;
use crate::error::RuleBroken;

/// A code of a second factor: six digits of a TOTP, or a recovery code.
#[derive(Debug)]
pub enum SecondFactorCode {
    /// The digits.
    Totp(SecretString),
    /// The letters and digits, without what separates them.
    Recovery(SecretString),
}

impl SecondFactorCode {
    /// Reads a code as people type it: in any case, with spaces or hyphens.
    ///
    /// # Errors
    /// `invalid_code`.
    pub fn parse(raw: &SecretString) -> Result<Self, RuleBroken> {
        let invalid = || RuleBroken::new("invalid_code", "must be six digits, or a recovery code like abcde-fghij");
        let raw = raw.expose_secret();
        if raw.len() > 64 {
            return Err(invalid());
        }
        let typed = raw.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_lowercase()).collect::<String>();
        if typed.len() == DIGITS as usize && typed.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Totp(typed.into()));
        }
        if typed.len() == CODE_CHARS && typed.bytes().all(|byte| ALPHABET.contains(&byte)) {
            return Ok(Self::Recovery(typed.into()));
        }
        Err(invalid())
    }
}

#[cfg(test)]
mod tests {
    use super::SecondFactorCode;

    fn kind(raw: &str) -> Option<char> {
        match SecondFactorCode::parse(&raw.into()) {
            Ok(SecondFactorCode::Totp(_)) => Some('t'),
            Ok(SecondFactorCode::Recovery(_)) => Some('r'),
            Err(_) => None,
        }
    }

    #[test]
    fn codes_are_read_as_they_are_typed() {
        for raw in ["123456", "123 456", " 123-456 "] {
            assert_eq!(kind(raw), Some('t'), "{raw}");
        }
        for raw in ["abcde-fgh23", "ABCDEFGH23", "abcde fgh23"] {
            assert_eq!(kind(raw), Some('r'), "{raw}");
        }
        for raw in ["", "12345", "1234567", "１２３４５６", "abcde-fgh2", "abcde-fgh01", &"1".repeat(99)] {
            assert_eq!(kind(raw), None, "{raw}");
        }
    }
}
