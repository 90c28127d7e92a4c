//! What a note is: its title and body are parsed once, into types that only have valid values.

pub(crate) mod routes;
pub(crate) mod store;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

const TITLE_CHARS_MAX: usize = 200;
const BODY_CHARS_MAX: usize = 20_000;

/// A note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct Note {
    /// The unique identifier.
    id: Uuid,
    /// The title.
    title: String,
    /// The text.
    body: String,
}

/// A title: 1 to 200 characters, without line breaks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, min_length = 1, max_length = 200)]
pub(crate) struct Title(String);

impl TryFrom<String> for Title {
    type Error = &'static str;

    fn try_from(raw: String) -> Result<Self, Self::Error> {
        let title = raw.trim();
        if title.is_empty() || title.chars().count() > TITLE_CHARS_MAX || title.contains(char::is_control) {
            return Err("title must have 1 to 200 characters and no line breaks");
        }
        Ok(Self(title.to_owned()))
    }
}

/// A text: up to 20,000 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, max_length = 20_000)]
pub(crate) struct Body(String);

impl TryFrom<String> for Body {
    type Error = &'static str;

    fn try_from(raw: String) -> Result<Self, Self::Error> {
        if raw.chars().count() > BODY_CHARS_MAX || raw.contains('\0') {
            return Err("body must have up to 20,000 characters");
        }
        Ok(Self(raw))
    }
}

/// What a caller writes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"title": "Groceries", "body": "Bread, olives"}))]
pub(crate) struct Draft {
    title: Title,
    #[serde(default)]
    body: Body,
}

#[cfg(test)]
mod tests {
    use super::{Body, Draft, Title};

    #[test]
    fn drafts_are_validated() {
        let parse = |text: &str| serde_json::from_str::<Draft>(text).ok();
        let draft = Draft { title: Title("Groceries".to_owned()), body: Body::default() };
        assert_eq!(parse(r#"{"title":" Groceries "}"#), Some(draft));
        let long = format!(r#"{{"title":"{}"}}"#, "a".repeat(201));
        let large = format!(r#"{{"title":"a","body":"{}"}}"#, "a".repeat(20_001));
        for invalid in
            [r#"{"title":" "}"#, r#"{"title":"a\nb"}"#, "{}", r#"{"title":"a","owner_id":"b"}"#, &long, &large]
        {
            assert_eq!(parse(invalid), None, "{invalid}");
        }
    }
}
