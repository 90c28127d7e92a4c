//! Names to call people by.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::error::RuleBroken;

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 200;

/// What to call a user: 1 to 200 characters of any script, in NFC, without surrounding white space, and without
/// characters that forge lines or reorder text. At least one character is visible. Direction marks are allowed in names
/// that contain right-to-left letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// The longest name, in characters.
    pub const CHARS_MAX: usize = NAME_CHARS_MAX;

    /// Reads a name as people write it.
    ///
    /// # Errors
    /// `required`, `too_long` or `invalid_characters`.
    pub fn parse(raw: &str) -> Result<Self, RuleBroken> {
        // The bound before the work: NFC can triple the length of what it is given, not more.
        if raw.len() > NAME_CHARS_MAX * 4 + 64 {
            return Err(too_long());
        }
        let name: String = raw.trim().nfc().collect();
        if name.is_empty() {
            return Err(RuleBroken::new("required", "must not be empty"));
        }
        if name.chars().count() > NAME_CHARS_MAX {
            return Err(too_long());
        }
        let is_right_to_left = name.chars().any(is_right_to_left);
        let is_refused = |c| if is_direction_mark(c) { !is_right_to_left } else { is_deceptive(c) };
        if name.chars().any(is_refused) || !name.chars().any(is_visible) {
            return Err(RuleBroken::new("invalid_characters", "must not contain control or invisible characters"));
        }
        Ok(Self(name))
    }

    /// Takes over a name that a store kept.
    #[must_use]
    pub fn from_stored(name: String) -> Self {
        Self(name)
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name itself, without a copy.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The form under which a name or a search prefix is compared: compatibility-composed, lower case, without direction
/// marks.
#[must_use]
pub fn search_key(raw: &str) -> String {
    raw.nfkc().filter(|c| !is_direction_mark(*c)).flat_map(char::to_lowercase).collect()
}

fn too_long() -> RuleBroken {
    RuleBroken::new("too_long", format!("must be at most {NAME_CHARS_MAX} characters long"))
}

/// Control characters, line and paragraph separators, bidirectional controls (CVE-2021-42574), tags and
/// noncharacters. The joiners U+200C and U+200D stay: Persian names and emoji need them.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{180E}' | '\u{200B}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
        || (u32::from(c) & 0xFFFE) == 0xFFFE
        || ('\u{FDD0}'..='\u{FDEF}').contains(&c)
}

/// The left-to-right, right-to-left and Arabic letter marks: keyboards and word processors put them into Hebrew and Arabic
/// text. Unlike the bidirectional controls they cannot reorder the text around a name.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}')
}

/// Letters of the scripts that are written from right to left: Hebrew to Arabic Extended, their presentation forms, and
/// the blocks of the supplementary plane that Unicode reserves for such scripts.
fn is_right_to_left(c: char) -> bool {
    c.is_alphabetic()
        && matches!(c,
            '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}'
            | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
}

/// Neither white space nor default-ignorable (Unicode's `Default_Ignorable_Code_Point`), nor a blank that is classified
/// as a symbol.
fn is_visible(c: char) -> bool {
    !c.is_whitespace()
        && !matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFC}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::{DisplayName, search_key};
    use proptest::prelude::*;

    fn check(raw: &str, expected: Result<&str, &str>) {
        let parsed = DisplayName::parse(raw);
        let outcome = parsed.as_ref().map(DisplayName::as_str).map_err(|rule| rule.code);
        assert_eq!(outcome, expected, "{raw:?}");
    }

    #[test]
    fn names_of_every_script_pass() {
        check("Ada Lovelace", Ok("Ada Lovelace"));
        check("  Ada  ", Ok("Ada"));
        check("e\u{301}ve", Ok("éve"));
        check("王小明", Ok("王小明"));
        check("می\u{200c}نا", Ok("می\u{200c}نا"));
        check("דוד\u{200e}", Ok("דוד\u{200e}"));
        check("\u{200f}דוד כהן", Ok("\u{200f}דוד כהן"));
        check("\u{061c}محمد", Ok("\u{061c}محمد"));
        check("❤\u{fe0f}", Ok("❤\u{fe0f}"));
    }

    #[test]
    fn names_of_invisible_characters_only_are_refused() {
        for c in [
            '\u{00AD}',
            '\u{034F}',
            '\u{115F}',
            '\u{17B4}',
            '\u{180B}',
            '\u{200B}',
            '\u{200C}',
            '\u{200E}',
            '\u{200F}',
            '\u{061C}',
            '\u{2060}',
            '\u{2062}',
            '\u{2800}',
            '\u{3164}',
            '\u{FE0F}',
            '\u{FEFF}',
            '\u{FFA0}',
            '\u{FFFC}',
            '\u{1D173}',
            '\u{E0020}',
            '\u{E0100}',
        ] {
            check(&format!("{c}"), Err("invalid_characters"));
            check(&format!("{c}\u{00A0}{c}\u{200D}"), Err("invalid_characters"));
        }
    }

    #[test]
    fn names_that_deceive_are_refused() {
        check("", Err("required"));
        check(" \t ", Err("required"));
        check("Ada\nLovelace", Err("invalid_characters"));
        check("Ada\u{1b}[31m", Err("invalid_characters"));
        check("\u{202e}nimda", Err("invalid_characters"));
        check("\u{200f}nimda", Err("invalid_characters"));
        check("\u{202e}דוד", Err("invalid_characters"));
        check("דוד\u{2067}", Err("invalid_characters"));
        check("\u{200d}", Err("invalid_characters"));
        check(&"é".repeat(201), Err("too_long"));
        check(&"é".repeat(200), Ok(&"é".repeat(200)));
    }

    #[test]
    fn searching_ignores_case_and_width() {
        assert_eq!(search_key("ＡDA Ünal"), "ada ünal");
        assert_eq!(search_key("\u{200f}דוד\u{200e}"), "דוד");
    }

    proptest! {
        #[test]
        fn a_name_once_accepted_stays_as_it_is(raw in "\\PC{0,220}") {
            if let Ok(name) = DisplayName::parse(&raw) {
                prop_assert_eq!(DisplayName::parse(name.as_str()), Ok(name));
            }
        }
    }
}
