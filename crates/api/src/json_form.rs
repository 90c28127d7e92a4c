//! Reads JSON into typed bodies, and names the field at fault without quoting what was sent: it may be a secret.

use denizen_domain::error::{FieldError, RuleBroken};
use serde::de::DeserializeOwned;

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
    /// JSON of another form; the field is empty when the text as a whole is meant.
    Field(FieldError),
}

/// Reads one JSON object and nothing after it.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, FormError> {
    // A derived reader also takes an array for a struct, by position.
    if text.trim_ascii_start().first() == Some(&b'[') {
        return Err(FormError::Field(FieldError::new("", "wrong_type", "must be a JSON object")));
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    let body = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| form_error(&error.path().to_string(), error.inner()))?;
    json.end().map_err(|error| form_error(".", &error))?;
    Ok(body)
}

fn form_error(path: &str, error: &serde_json::Error) -> FormError {
    if !error.is_data() {
        return FormError::Syntax { line: error.line(), column: error.column() };
    }
    let path = if path == "." { "" } else { path };
    let text = error.to_string();
    let named = text.split('`').nth(1).unwrap_or_default();
    let at_named = |code, message| FieldError::new(below(path, named), code, message);
    FormError::Field(if text.starts_with("unknown field") {
        at_named("unknown_field", "is not a field here")
    } else if text.starts_with("missing field") {
        at_named("required", "must be given")
    } else if text.starts_with("duplicate field") {
        at_named("duplicate", "must be given once")
    } else if text.starts_with("an object names a member twice") {
        FieldError::new(path, "duplicate", "must name each member once")
    } else {
        let expected = text.rsplit_once(", expected ").and_then(|(_, rest)| rest.split(" at line ").next());
        let expected = if path.is_empty() { Some("a JSON object") } else { expected };
        let message = expected.map_or("has the wrong form".to_owned(), |expected| format!("must be {expected}"));
        FieldError::new(path, "wrong_type", message)
    })
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

    /// Notes a field at fault.
    pub(crate) fn refuse(&mut self, field: FieldError) {
        self.0.push(field);
    }

    /// The assembled value when no field was at fault.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        value.filter(|_| self.0.is_empty()).ok_or(self.0)
    }
}
