//! A JSON Schema as a value.

use std::path::PathBuf;

use super::rule::Rule;

/// Where a JSON Schema is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaSource {
    /// In the value.
    Inline(String),
    /// In a file.
    File(PathBuf),
}

/// A JSON Schema.
pub(super) fn schema() -> Rule<SchemaSource> {
    Rule::of_text("a file path, or a JSON Schema that begins with {", |text| {
        let text = text.trim();
        if text.starts_with('{') {
            return Some(SchemaSource::Inline(text.to_owned()));
        }
        (!text.is_empty() && !text.contains(char::is_control) && !text.ends_with('/'))
            .then(|| SchemaSource::File(text.into()))
    })
}
