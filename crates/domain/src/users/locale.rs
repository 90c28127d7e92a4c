//! Languages by their tags.

use std::fmt;

use crate::error::RuleBroken;

/// The longest tag, in bytes: what RFC 5646 §4.4.1 asks buffers to hold.
const TAG_BYTES_MAX: usize = 35;
/// How many ranges of `Accept-Language` are read.
const RANGES_MAX: usize = 16;

/// A language tag (BCP 47): `de`, `zh-Hans`, `pt-BR`. Only its form is known to be right.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Locale(String);

impl Locale {
    /// Reads a tag in any case. The underscores of POSIX locales count as hyphens: `en_US` is `en-US`.
    ///
    /// # Errors
    /// `invalid_locale`.
    pub fn parse(raw: &str) -> Result<Self, RuleBroken> {
        let tag = raw.replace('_', "-");
        let mut parts = tag.split('-');
        let is_language = |part: &str| (2..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic());
        let is_subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if raw.len() > TAG_BYTES_MAX || !parts.next().is_some_and(is_language) || !parts.all(is_subtag) {
            return Err(RuleBroken::new("invalid_locale", "must be a language tag such as de, pt-BR or zh-Hans"));
        }
        Ok(Self(canonical(&tag)))
    }

    /// The language to use for a reader, as `Accept-Language` ranks them (RFC 9110 §12.5.4): of those that
    /// `is_supported` accepts, the first with the highest weight. When none is supported, the first with the highest
    /// weight of all; `None` when the header names no language.
    #[must_use]
    pub fn preferred(accept_language: &str, is_supported: impl Fn(&Self) -> bool) -> Option<Self> {
        let mut ranked: Vec<(Self, f32)> =
            accept_language.split(',').take(RANGES_MAX).filter_map(weighted_range).collect();
        // The sort is stable: of equal weights the first named comes first.
        ranked.sort_by(|(_, left), (_, right)| right.total_cmp(left));
        let best = ranked.iter().position(|(locale, _)| is_supported(locale)).unwrap_or_default();
        ranked.into_iter().nth(best).map(|(locale, _)| locale)
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

    /// The tag in its usual case, without a copy.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// The language alone.
    #[must_use]
    pub fn language(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }
}

/// One range of `Accept-Language` with its weight; `None` when it is malformed, the wildcard, or has the weight 0.
fn weighted_range(range: &str) -> Option<(Locale, f32)> {
    let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
    let (name, weight) = weight.split_once('=')?;
    let weight: f32 = weight.trim().parse().ok().filter(|weight| *weight > 0.0 && *weight <= 1.0)?;
    let tag = Locale::parse(tag.trim()).ok()?;
    name.trim().eq_ignore_ascii_case("q").then_some((tag, weight))
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
        for (raw, expected) in [
            ("de", "de"),
            ("EN-us", "en-US"),
            ("zh-hans-cn", "zh-Hans-CN"),
            ("es-419", "es-419"),
            ("en_US", "en-US"),
            ("zh_hans_cn", "zh-Hans-CN"),
        ] {
            assert_eq!(Locale::parse(raw).unwrap().as_str(), expected);
        }
        for raw in
            ["", "d", "english", "de_", "_DE", "de__DE", "de-", "-de", "de--at", "dé", "de\n", &"de-abcdefgh".repeat(4)]
        {
            assert_eq!(Locale::parse(raw).unwrap_err().code, "invalid_locale", "{raw:?}");
        }
    }

    #[test]
    fn the_preferred_language_is_the_first_of_the_heaviest() {
        let preferred = |header| Locale::preferred(header, |_| true).map(|locale| locale.to_string());
        assert_eq!(preferred("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5").as_deref(), Some("fr-CH"));
        assert_eq!(preferred("en;q=0.1,ja;q=0.9").as_deref(), Some("ja"));
        assert_eq!(preferred("de;q=0, es").as_deref(), Some("es"));
        for nothing in ["", "*", ";;;", "de;q=x", "\u{0}"] {
            assert_eq!(preferred(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_supported_language_wins_over_an_unsupported_one_with_more_weight() {
        let preferred = |header| {
            let supported = |locale: &Locale| ["en", "es", "de"].contains(&locale.language());
            Locale::preferred(header, supported).map(|locale| locale.to_string())
        };
        assert_eq!(preferred("ca-ES,ca;q=0.9,es;q=0.8").as_deref(), Some("es"));
        assert_eq!(preferred("ca, de;q=0.2, es-MX ; Q=0.7").as_deref(), Some("es-MX"));
        assert_eq!(preferred("es;q=0, de;q=0.1, ca").as_deref(), Some("de"));
        assert_eq!(preferred("ca-ES,ca;q=0.9").as_deref(), Some("ca-ES"), "none is supported");
    }
}
