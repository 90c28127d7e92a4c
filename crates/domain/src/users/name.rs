//! Names to call people by.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::error::RuleBroken;

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 200;

/// What to call a user: 1 to 200 characters of any script, in NFC, without surrounding white space, and
/// without characters that forge lines, reorder text or show nothing.
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
        if name.chars().any(is_deceptive) || !name.chars().any(is_visible) {
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
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The form under which a name or a search prefix is compared: compatibility-composed, lower case.
#[must_use]
pub fn search_key(raw: &str) -> String {
    raw.nfkc().flat_map(char::to_lowercase).collect()
}

fn too_long() -> RuleBroken {
    RuleBroken::new("too_long", format!("must be at most {NAME_CHARS_MAX} characters long"))
}

/// Control characters, line and paragraph separators, bidirectional controls (CVE-2021-42574), tags and
/// noncharacters. The joiners U+200C and U+200D stay: Persian names and emoji need them.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
        || (u32::from(c) & 0xFFFE) == 0xFFFE
        || ('\u{FDD0}'..='\u{FDEF}').contains(&c)
}

fn is_visible(c: char) -> bool {
    !c.is_whitespace()
        && !matches!(c, '\u{200C}' | '\u{200D}' | '\u{00AD}' | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}')
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
    }

    #[test]
    fn names_that_deceive_are_refused() {
        check("", Err("required"));
        check(" \t ", Err("required"));
        check("Ada\nLovelace", Err("invalid_characters"));
        check("Ada\u{1b}[31m", Err("invalid_characters"));
        check("\u{202e}nimda", Err("invalid_characters"));
        check("\u{200d}", Err("invalid_characters"));
        check(&"é".repeat(201), Err("too_long"));
        check(&"é".repeat(200), Ok(&"é".repeat(200)));
    }

    #[test]
    fn searching_ignores_case_and_width() {
        assert_eq!(search_key("ＡDA Ünal"), "ada ünal");
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
