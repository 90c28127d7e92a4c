//! A value from a layer, before its rule is applied.

use std::fmt;

use config::ValueKind;

/// How many characters of an invalid value a message quotes.
const QUOTED_CHARS_MAX: usize = 64;

/// A value from a layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    /// Text of any type: from the environment, `.env`, an option, or the table.
    Untyped(String),
    /// A TOML string.
    String(String),
    /// A TOML integer.
    Integer(i64),
    /// A TOML boolean.
    Bool(bool),
    /// A TOML array of strings.
    List(Vec<String>),
    /// Any other type, as a description.
    Other(&'static str),
}

impl Raw {
    /// The text, if the value is text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Untyped(text) | Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the value is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.text().is_some_and(str::is_empty)
    }

    /// The type of the value.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Untyped(_) | Self::String(_) => "a string",
            Self::Integer(_) => "a number",
            Self::Bool(_) => "a boolean",
            Self::List(_) => "an array",
            Self::Other(words) => words,
        }
    }

    /// The value as printed by `config show`.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Untyped(text) | Self::String(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Bool(flag) => flag.to_string(),
            Self::List(items) => items.join(","),
            Self::Other(words) => (*words).to_owned(),
        }
    }
}

impl From<ValueKind> for Raw {
    fn from(kind: ValueKind) -> Self {
        match kind {
            ValueKind::String(text) => Self::String(text),
            ValueKind::Boolean(flag) => Self::Bool(flag),
            ValueKind::I64(number) => Self::Integer(number),
            ValueKind::Array(items) => {
                let texts = items.into_iter().map(|item| match item.kind {
                    ValueKind::String(text) => Some(text),
                    _ => None,
                });
                texts.collect::<Option<_>>().map_or(Self::Other("an array with items that are not strings"), Self::List)
            }
            ValueKind::Table(_) => Self::Other("a table"),
            ValueKind::Float(_) => Self::Other("a fraction"),
            ValueKind::U64(_) | ValueKind::I128(_) | ValueKind::U128(_) => Self::Other("a number beyond 64 bits"),
            ValueKind::Nil => Self::Other("nothing"),
        }
    }
}

impl fmt::Display for Raw {
    /// The value as quoted in messages: truncated, and without control characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(words) => f.write_str(words),
            Self::Integer(_) | Self::Bool(_) => f.write_str(&self.shown()),
            Self::Untyped(_) | Self::String(_) | Self::List(_) => {
                let shown = self.shown();
                let start: String = shown.chars().take(QUOTED_CHARS_MAX).collect();
                let ellipsis = if start.len() < shown.len() { "…" } else { "" };
                write!(f, "{start:?}{ellipsis}")
            }
        }
    }
}
