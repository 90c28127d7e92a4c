//! Languages by their tags.

use std::fmt;

use crate::error::RuleBroken;

/// The longest tag, in bytes: what RFC 5646 §4.4.1 asks buffers to hold.
const TAG_BYTES_MAX: usize = 35;

/// A language tag (BCP 47): `de`, `zh-Hans`, `pt-BR`. Only its form is known to be right.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Locale(String);

impl Locale {
    /// Reads a tag in any case.
    ///
    /// # Errors
    /// `invalid_locale`.
    pub fn parse(raw: &str) -> Result<Self, RuleBroken> {
        let mut parts = raw.split('-');
        let is_language = |part: &str| (2..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic());
        let is_subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if raw.len() > TAG_BYTES_MAX || !parts.next().is_some_and(is_language) || !parts.all(is_subtag) {
            return Err(RuleBroken::new("invalid_locale", "must be a language tag like de, pt-BR or zh-Hans"));
        }
        Ok(Self(canonical(raw)))
    }

    /// The language that a reader prefers, as `Accept-Language` says (RFC 9110 §12.5.4): the first with the highest
    /// weight. `None` when nothing readable is said.
    #[must_use]
    pub fn preferred(accept_language: &str) -> Option<Self> {
        let weighed = accept_language.split(',').take(16).filter_map(|range| {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            let weight: f32 = weight.trim().strip_prefix("q=")?.parse().ok().filter(|weight| *weight > 0.0)?;
            Some((Self::parse(tag.trim()).ok()?, weight))
        });
        let best = weighed.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map(|(locale, _)| locale)
    }

    /// Takes over a tag that a store kept.
    #[must_use]
    pub fn from_stored(tag: String) -> Self {
        Self(tag)
    }

    /// The tag in its usual case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language alone.
    #[must_use]
    pub fn language(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }
}

/// The usual case (RFC 5646 §2.1.1): language `de`, script `Hans`, region `BR`.
fn canonical(raw: &str) -> String {
    let parts = raw.split('-').enumerate().map(|(at, part)| match (at, part.len()) {
        (1.., 2) => part.to_ascii_uppercase(),
        (1.., 4) if part.as_bytes()[0].is_ascii_alphabetic() => {
            part[..1].to_ascii_uppercase() + &part[1..].to_ascii_lowercase()
        }
        _ => part.to_ascii_lowercase(),
    });
    parts.collect::<Vec<_>>().join("-")
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Locale;

    #[test]
    fn a_tag_has_one_spelling() {
        for (raw, expected) in [("de", "de"), ("EN-us", "en-US"), ("zh-hans-cn", "zh-Hans-CN"), ("es-419", "es-419")] {
            assert_eq!(Locale::parse(raw).unwrap().as_str(), expected);
        }
        for raw in ["", "d", "english", "de_DE", "de-", "-de", "de--at", "dé", "de\n", &"de-abcdefgh".repeat(4)] {
            assert_eq!(Locale::parse(raw).unwrap_err().code, "invalid_locale", "{raw:?}");
        }
    }

    #[test]
    fn the_preferred_language_is_the_first_of_the_heaviest() {
        let preferred = |header| Locale::preferred(header).map(|locale| locale.to_string());
        assert_eq!(preferred("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5").as_deref(), Some("fr-CH"));
        assert_eq!(preferred("en;q=0.1,ja;q=0.9").as_deref(), Some("ja"));
        assert_eq!(preferred("de;q=0, es").as_deref(), Some("es"));
        for nothing in ["", "*", ";;;", "de;q=x", "\u{0}"] {
            assert_eq!(preferred(nothing), None, "{nothing:?}");
        }
    }
}
