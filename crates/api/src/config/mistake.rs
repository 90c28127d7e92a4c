//! Configuration errors, one line each.

use std::fmt;

use super::declare::sections;
use super::raw::Raw;
use super::table::NAMES;
use super::{ENV_PREFIX, Source, env_name};
use crate::suggestion;

/// All configuration errors; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Mistake>);

impl ConfigErrors {
    pub(super) fn new(mistakes: Vec<Mistake>) -> Self {
        Self(mistakes)
    }

    /// All of these errors, or `None` if there are none.
    pub(crate) fn of(mistakes: Vec<Mistake>) -> Option<Self> {
        (!mistakes.is_empty()).then_some(Self(mistakes))
    }

    /// All errors, in the order of the layers.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.0.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// One error, in one line: the key, its source, the problem and the expected value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake(String);

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names of keys and files come from outside too: nothing in them may forge a line.
        for c in self.0.chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}

impl Mistake {
    pub(super) fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }

    /// A value that its rule does not accept; `found` is only present if it may be quoted.
    pub(super) fn malformed(key: &str, source: &Source, found: Option<&Raw>, expected: &str) -> Self {
        let found = found.map_or_else(|| "not valid".to_owned(), ToString::to_string);
        Self(format!("{key} from {source} is {found}; expected {expected}"))
    }

    /// A value that is well-formed and not allowed.
    pub(super) fn refused(key: &str, source: &Source, why: &str, expected: &str) -> Self {
        Self(format!("{key} from {source} is {why}; expected {expected}"))
    }

    /// A key that is not in the table. Its value is not quoted, because it may be a secret with a mistyped name.
    pub(super) fn unknown(key: &str, source: &Source) -> Self {
        let hint = nearest(key)
            .map_or_else(|| format!("expected {}", siblings(key)), |nearest| format!("did you mean {nearest}?"));
        Self(format!("{key} from {source} is not a known key; {hint}"))
    }

    /// A variable that is ignored, if it resembles a key.
    pub(super) fn ignored_variable(name: &str, source: &Source) -> Option<Self> {
        let key = name.trim_start_matches("DENIZEN_").to_ascii_lowercase();
        let known = env_name(nearest(&key)?);
        Some(Self(format!(
            "{name} from {source} is not a setting of the server and is ignored; the setting is {known}"
        )))
    }

    /// A variable that matches no key of the table.
    pub(super) fn unknown_variable(name: &str, source: &Source) -> Self {
        let source = match source {
            Source::DotEnv(file) => file.as_str(),
            _ => "the environment",
        };
        let key = name.trim_start_matches("DENIZEN_").trim_start_matches('_').replace("__", ".").to_ascii_lowercase();
        let hint = nearest(&key).map_or_else(
            || format!("expected {ENV_PREFIX}SECTION__KEY for {}", siblings(&key)),
            |nearest| format!("did you mean {}?", env_name(nearest)),
        );
        Self(format!("{name} from {source} is not a known key; {hint}"))
    }
}

/// The keys of the section of a key, or all sections if there is no such section.
fn siblings(key: &str) -> String {
    let section = key.split_once('.').map_or(key, |(section, _)| section);
    let is_of_section = |name: &&str| name.split_once('.').is_some_and(|(own, _)| own == section);
    let names: Vec<&str> = NAMES.iter().copied().filter(is_of_section).collect();
    if names.is_empty() {
        format!("a key in one of the sections {}", sections().collect::<Vec<_>>().join(", "))
    } else {
        format!("one of {}", names.join(", "))
    }
}

/// The most similar known key.
fn nearest(raw: &str) -> Option<&'static str> {
    let key = raw.to_ascii_lowercase();
    if let Some(same) = NAMES.iter().find(|name| name.split_once('.').is_some_and(|(_, field)| field == key)) {
        return Some(same);
    }
    suggestion::nearest(&key, &NAMES)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_key_is_suggested_for_a_typo() {
        for (typo, key) in [
            ("server.prot", Some("server.port")),
            ("sever.port", Some("server.port")),
            ("server_port", Some("server.port")),
            ("master_key", Some("security.master_key")),
            ("security.masterkey", Some("security.master_key")),
            ("SERVER.PORT", Some("server.port")),
            ("nonsense.entirely", None),
            ("a", None),
        ] {
            assert_eq!(nearest(typo), key, "{typo}");
        }
    }
}
