//! The messages of one language.

use std::collections::BTreeMap;

use super::WordsError;

/// The longest message, in bytes.
const MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// The messages that say how long: minutes, hours, days.
pub(super) const UNITS: [&str; 3] = ["minutes", "hours", "days"];
/// The messages that every mail shares.
const SHARED: &[&str] = &["greeting", "link_hint", "footer"];

/// A kind of mail, and what it carries.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) has_link: bool,
    pub(super) has_code: bool,
}

/// Every kind there is.
pub(super) fn kinds() -> impl Iterator<Item = Kind> {
    let link = |name| Kind { name, has_link: true, has_code: false };
    let news = |name| Kind { name, has_link: false, has_code: false };
    [
        link("password_reset"),
        link("email_verification"),
        link("email_change"),
        link("invitation"),
        link("sign_in_link"),
        Kind { name: "sign_in_code", has_link: false, has_code: true },
        news("password_changed"),
        news("email_changed"),
        news("second_factor_added"),
        news("second_factor_removed"),
        news("identity_linked"),
        news("identity_unlinked"),
        news("recovery_codes_replaced"),
        news("passkey_added"),
        news("passkey_removed"),
        news("deletion_scheduled"),
        news("account_exists"),
    ]
    .into_iter()
}

/// The messages of one language, each under its key.
pub(super) struct Catalogue(BTreeMap<String, String>);

impl Catalogue {
    /// Reads a JSON object of texts.
    pub(super) fn read(file: &str, json: &str) -> Result<Self, WordsError> {
        let messages: BTreeMap<String, String> =
            serde_json::from_str(json).map_err(|error| WordsError::new(file, error))?;
        if let Some(key) = messages.keys().find(|key| !is_known(key)) {
            return Err(WordsError::new(file, format!("{key:?} is not a known message")));
        }
        if let Some((key, _)) = messages.iter().find(|(_, message)| message.len() > MESSAGE_BYTES_MAX) {
            return Err(WordsError::new(file, format!("{key:?} is longer than {MESSAGE_BYTES_MAX} bytes")));
        }
        Ok(Self(messages))
    }

    /// These messages, and the given ones in their place.
    pub(super) fn overridden_by(mut self, given: Self) -> Self {
        self.0.extend(given.0);
        self
    }

    /// Whether every mail can be written with it.
    pub(super) fn check_complete(&self, file: &str) -> Result<(), WordsError> {
        match required().find(|key| !self.has(key)) {
            Some(key) => Err(WordsError::new(file, format!("lacks the message {key:?}"))),
            None => Ok(()),
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, message)| (key.as_str(), message.as_str()))
    }
}

fn required() -> impl Iterator<Item = String> {
    let of_kinds = kinds().flat_map(|kind| {
        let parts = if kind.has_link { &["subject", "before", "button", "after"][..] } else { &["subject", "before"] };
        parts.iter().map(move |part| format!("{}.{part}", kind.name)).collect::<Vec<_>>()
    });
    SHARED.iter().chain(&UNITS).map(|key| (*key).to_owned()).chain(of_kinds)
}

fn is_known(key: &str) -> bool {
    SHARED.contains(&key)
        || UNITS.contains(&key)
        || key.split_once('.').is_some_and(|(name, part)| {
            kinds().any(|kind| kind.name == name) && ["subject", "before", "button", "after"].contains(&part)
        })
}
