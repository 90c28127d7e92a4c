//! A code that a person types.

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use super::recovery::{ALPHABET, CODE_CHARS};
use super::totp::DIGITS;
use crate::error::RuleBroken;

/// The longest text that may stand for a code, in bytes: room for digits of three bytes and what separates them.
const TYPED_BYTES_MAX: usize = 128;
/// The zeros of decimal digits (Unicode's category Nd) in the scripts that keyboards type them in. NFKC has made the
/// full-width and the mathematical ones ASCII before.
const DIGIT_ZEROS: [u32; 19] = [
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0E50, 0x0ED0,
    0x0F20, 0x1040, 0x17E0, 0x1810, 0xFF10,
];

/// A code of a second factor: six digits of a TOTP, or a recovery code.
#[derive(Debug)]
pub enum SecondFactorCode {
    /// The digits.
    Totp(SecretString),
    /// The letters and digits, without what separates them.
    Recovery(SecretString),
}

impl SecondFactorCode {
    /// Reads a code as people type or paste it: in any case and width, with the decimal digits of any script, with
    /// spaces, dashes and invisible characters anywhere.
    ///
    /// # Errors
    /// `invalid_code`.
    pub fn parse(raw: &SecretString) -> Result<Self, RuleBroken> {
        let invalid =
            || RuleBroken::new("invalid_code", "must be a six-digit code or a recovery code such as abcde-fghij");
        let raw = raw.expose_secret();
        if raw.len() > TYPED_BYTES_MAX {
            return Err(invalid());
        }
        let typed: String = raw.nfkc().filter(|c| !is_separator(*c)).map(plain).collect();
        if typed.len() == DIGITS as usize && typed.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Totp(typed.into()));
        }
        if typed.len() == CODE_CHARS && typed.bytes().all(|byte| ALPHABET.contains(&byte)) {
            return Ok(Self::Recovery(typed.into()));
        }
        Err(invalid())
    }
}

/// White space, dashes, and what shows nothing: joiners, direction marks and controls, variation selectors, soft hyphens.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '-' | '\u{00AD}' | '\u{034F}' | '\u{058A}' | '\u{05BE}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}'
            | '\u{2010}'..='\u{2015}' | '\u{202A}'..='\u{202E}' | '\u{2043}' | '\u{2060}'..='\u{206F}' | '\u{2212}'
            | '\u{2E3A}' | '\u{2E3B}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

/// A letter in lower case, and a decimal digit of any script as its ASCII digit.
fn plain(c: char) -> char {
    let value = DIGIT_ZEROS.iter().filter_map(|zero| u32::from(c).checked_sub(*zero)).find(|value| *value < 10);
    value.and_then(|value| char::from_digit(value, 10)).unwrap_or_else(|| c.to_ascii_lowercase())
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
        for raw in [
            "123456",
            "123 456",
            " 123-456 ",
            "123\u{a0}456\t\n",
            "１２３４５６",
            "١٢٣٤٥٦",
            "۱۲۳۴۵۶",
            "१२३४५६",
            "\u{200b}123\u{200d}456\u{feff}",
            "\u{202a}123456\u{202c}\u{200f}",
            "123–456",
            "123—456",
            "123−456",
            "123\u{2011}456",
            "123－456",
            "123\u{3000}456",
        ] {
            assert_eq!(kind(raw), Some('t'), "{raw}");
        }
        for raw in [
            "abcde-fgh23",
            "ABCDEFGH23",
            "abcde fgh23",
            "abcde–fgh23",
            "ａｂｃｄｅ－ＦＧＨ２３",
            "\u{200e}abcde\u{a0}fgh٢٣",
        ] {
            assert_eq!(kind(raw), Some('r'), "{raw}");
        }
        for raw in ["", "12345", "1234567", "12345½", "12345²6", "abcde-fgh2", "abcde-fgh01", &"1".repeat(129)] {
            assert_eq!(kind(raw), None, "{raw}");
        }
    }
}
