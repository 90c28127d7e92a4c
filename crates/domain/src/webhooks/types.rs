//! What a webhook is told of.

use crate::error::RuleBroken;
use crate::events::EventType;

/// How many selections there may be.
const SELECTIONS_MAX: usize = 64;

/// Selections of types: names, and beginnings of names with `*`. None at all is every type.
///
/// A beginning also selects what a later release adds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventTypes(Vec<String>);

impl EventTypes {
    /// Reads selections, each of which must select something. One that is said twice counts once.
    ///
    /// # Errors
    /// `too_many` or `unknown_type`.
    pub fn parse<S: AsRef<str>>(raw: &[S]) -> Result<Self, RuleBroken> {
        if raw.len() > SELECTIONS_MAX {
            return Err(RuleBroken::new("too_many", format!("must be at most {SELECTIONS_MAX}")));
        }
        let mut selections: Vec<String> = Vec::new();
        for selection in raw.iter().map(AsRef::as_ref) {
            if EventType::select(selection).is_empty() {
                let message = "must be event types, optionally with a trailing *";
                return Err(RuleBroken::new("unknown_type", message));
            }
            if !selections.iter().any(|known| known == selection) {
                selections.push(selection.to_owned());
            }
        }
        Ok(Self(selections))
    }

    /// Takes over what a store kept: selections between spaces.
    #[must_use]
    pub fn from_stored(stored: &str) -> Self {
        Self(stored.split(' ').filter(|selection| !selection.is_empty()).map(str::to_owned).collect())
    }

    /// The text for a store to keep. No selection has a space in it.
    #[must_use]
    pub fn to_stored(&self) -> String {
        self.0.join(" ")
    }

    /// The selections.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Whether a type is selected.
    #[must_use]
    pub fn admit(&self, kind: &str) -> bool {
        let selects = |selection: &String| match selection.strip_suffix('*') {
            Some(beginning) => kind.starts_with(beginning),
            None => kind == selection,
        };
        self.0.is_empty() || self.0.iter().any(selects)
    }
}

#[cfg(test)]
mod tests {
    use super::EventTypes;

    #[test]
    fn a_selection_is_a_name_or_its_beginning() {
        let types = EventTypes::parse(&["session.*", "user.created", "user.created"]).unwrap();
        assert_eq!(types.to_stored(), "session.* user.created");
        assert_eq!(EventTypes::from_stored(&types.to_stored()), types);
        assert!(types.admit("session.ended") && types.admit("session.yet_to_come") && types.admit("user.created"));
        assert!(!types.admit("user.created_too") && !types.admit("role.created"));
        assert!(EventTypes::default().admit("anything") && EventTypes::from_stored("").admit("anything"));
    }

    #[test]
    fn what_selects_nothing_is_refused() {
        for bad in ["", "user", "nothing.*", "user.created role.created", "user.*.*"] {
            assert_eq!(EventTypes::parse(&[bad]).unwrap_err().code, "unknown_type", "{bad}");
        }
        assert_eq!(EventTypes::parse(&["user.*"; 65]).unwrap_err().code, "too_many");
    }
}
