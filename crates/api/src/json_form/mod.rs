//! Reads JSON into typed bodies, and names the field at fault without quoting what was sent: it may be a secret.

use denizen_domain::error::{FieldError, RuleBroken};
use serde::de::DeserializeOwned;

mod faults;
mod integers;

/// Why a text is not the body it should be.
#[derive(Debug)]
pub(crate) enum FormError {
    /// Not JSON at all.
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// No text at all, or white space alone.
    Empty,
    /// JSON of another form, and everything that is wrong with it; a field is empty when the text as a whole is meant.
    Fields(Vec<FieldError>),
}

/// Reads one JSON object and nothing after it.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, FormError> {
    let start = text.trim_ascii_start().first();
    if start.is_none() {
        return Err(FormError::Empty);
    }
    // A derived reader also takes an array for a struct, by position.
    if start == Some(&b'[') {
        return Err(FormError::Fields(vec![FieldError::new("", "wrong_type", "must be a JSON object")]));
    }
    if let Some(fault) = integers::find_too_long(text) {
        return Err(FormError::Fields(vec![fault]));
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    let body = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let inner = error.inner();
        if inner.is_data() {
            FormError::Fields(faults::all::<T>(text, field_of(&error.path().to_string(), inner)))
        } else {
            syntax_error(inner)
        }
    })?;
    json.end().map_err(|error| syntax_error(&error))?;
    Ok(body)
}

fn syntax_error(error: &serde_json::Error) -> FormError {
    FormError::Syntax { line: error.line(), column: error.column() }
}

/// The field at fault, from where the reader stopped and why.
fn field_of(path: &str, error: &serde_json::Error) -> FieldError {
    let path = if path == "." { "" } else { path };
    let text = error.to_string();
    let named = text.split('`').nth(1).unwrap_or_default();
    let at_named = |code, message| FieldError::new(below(path, named), code, message);
    if text.starts_with("unknown field") {
        at_named("unknown_field", "is not a known field")
    } else if text.starts_with("missing field") {
        at_named("required", "is required")
    } else if text.starts_with("duplicate field") {
        at_named("duplicate", "must not be repeated")
    } else if text.starts_with("an object names a member twice") {
        FieldError::new(path, "duplicate", "must not repeat a member")
    } else {
        let expected = text.rsplit_once(", expected ").and_then(|(_, rest)| rest.split(" at line ").next());
        let expected = if path.is_empty() { Some("a JSON object") } else { expected };
        let message = expected.map_or("has the wrong type".to_owned(), |expected| format!("must be {expected}"));
        FieldError::new(path, "wrong_type", message)
    }
}

/// The path of a named field: the reader's own path may end with the name already, or above it.
fn below(path: &str, name: &str) -> String {
    match path.rsplit_once('.').map_or(path, |(_, last)| last) {
        "" => name.to_owned(),
        last if last == name => path.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

/// Collects the fields at fault, so that a client learns of all of them at once.
#[derive(Default)]
pub(crate) struct Fields(Vec<FieldError>);

impl Fields {
    /// The value, or a note of the rule that the field breaks.
    pub(crate) fn check<T>(&mut self, field: &str, parsed: Result<T, RuleBroken>) -> Option<T> {
        parsed.map_err(|rule| self.0.push(rule.at(field))).ok()
    }

    /// The value, or a note of each field at fault.
    pub(crate) fn check_all<T>(&mut self, parsed: Result<T, Vec<FieldError>>) -> Option<T> {
        parsed.map_err(|faults| self.0.extend(faults)).ok()
    }

    /// Notes a field at fault.
    pub(crate) fn refuse(&mut self, field: FieldError) {
        self.0.push(field);
    }

    /// The assembled value when no field was at fault.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        value.filter(|_| self.0.is_empty()).ok_or(self.0)
    }
}
