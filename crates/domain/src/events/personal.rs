//! Personal data in records. A record authenticates digests of it, so that it can be erased later and the log still
//! verifies: a digest takes the place of what was erased.

use super::Event;
use crate::value::{Object, Value};

/// How a record is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordForm {
    /// All at once: as in earlier releases. Nothing in it can be erased.
    Whole,
    /// With a digest in place of each part that can be erased.
    Digested,
}

impl RecordForm {
    /// Its number in the tables.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Whole => 2,
            Self::Digested => 3,
        }
    }

    /// Reads a number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Whole, Self::Digested].into_iter().find(|form| form.number() == number)
    }
}

/// The digests of what was erased from a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Of the address and the user agent.
    pub origin: Option<[u8; 32]>,
    /// Of the personal members of the data.
    pub data: Option<[u8; 32]>,
}

impl Erased {
    /// Whether anything was erased.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.origin.is_some() || self.data.is_some()
    }
}

/// The members of `data` that can contain personal data, in every type of event. Part of the form of a record: a further
/// name needs a new form.
const PERSONAL: [&str; 4] = ["email", "label", "name", "previous_email"];
/// The domain of the addresses that take the place of erased ones. It never exists (RFC 6761, section 6.4).
const ERASED_DOMAIN: &str = "erased.invalid";
/// What takes the place of an erased name.
const ERASED_NAME: &str = "[erased]";

/// Whether a member of `data` can contain personal data.
#[must_use]
pub fn is_personal(name: &str) -> bool {
    PERSONAL.contains(&name)
}

/// The personal members of the data of a record.
pub(super) fn personal(data: &Object) -> impl Iterator<Item = (&String, &Value)> {
    data.iter().filter(|(name, _)| is_personal(name))
}

/// What takes the place of a personal member. Addresses stay distinct, and the data keeps the form of its type.
fn placeholder(name: &str, about: Option<&str>) -> Value {
    Value::String(match name {
        "email" | "previous_email" => format!("{}@{ERASED_DOMAIN}", about.unwrap_or("user")),
        _ => ERASED_NAME.to_owned(),
    })
}

/// The data of a record with placeholders for its personal members.
pub(super) fn without_personal(event: &Event) -> Object {
    let about = event.about.as_str();
    let member = |(name, value): (&String, &Value)| {
        (name.clone(), if is_personal(name) { placeholder(name, about) } else { value.clone() })
    };
    event.data.iter().map(member).collect()
}

/// Whether the personal members of the data of a record are placeholders.
pub(super) fn has_placeholders(event: &Event) -> bool {
    personal(&event.data).all(|(name, value)| *value == placeholder(name, event.about.as_str()))
}

/// Whether nothing is left of what was erased.
pub(super) fn is_erased_whole(event: &Event) -> bool {
    let Erased { origin, data } = event.erased;
    (event.form == RecordForm::Digested || !event.erased.is_any())
        && (origin.is_none() || (event.address.is_none() && event.user_agent.is_none()))
        && (data.is_none() || has_placeholders(event))
}

#[cfg(test)]
mod tests {
    use super::is_personal;
    use crate::events::EventType;

    #[test]
    fn every_field_with_personal_data_is_known() {
        for kind in EventType::ALL {
            for field in kind.fields() {
                assert!(!field.is_personal || is_personal(field.name), "{}: {}", kind.as_str(), field.name);
            }
        }
    }
}
