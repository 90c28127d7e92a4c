//! The parts of a note. Input is parsed once, into types that only have valid values.

use uuid::Uuid;

const TITLE_CHARS_MAX: usize = 200;
const BODY_CHARS_MAX: usize = 20_000;

/// The user who owns a note: the `sub` of the access token. There is no table of users; Denizen has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerId(pub Uuid);

/// The id of a note. Ids are ordered by the time of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoteId(pub Uuid);

impl NoteId {
    pub(crate) fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

/// A note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The id.
    pub id: NoteId,
    /// The title.
    pub title: Title,
    /// The text.
    pub body: Body,
}

impl Note {
    /// A note from its stored parts.
    pub fn from_parts(id: Uuid, title: String, body: String) -> Result<Self, Invalid> {
        Ok(Self { id: NoteId(id), title: title.try_into()?, body: body.try_into()? })
    }
}

/// What a user writes: a note without its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The title.
    pub title: Title,
    /// The text.
    pub body: Body,
}

impl Draft {
    /// Validates the input of a user.
    pub fn parse(title: String, body: String) -> Result<Self, Invalid> {
        Ok(Self { title: title.try_into()?, body: body.try_into()? })
    }
}

/// A title: 1 to 200 characters, without line breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title(String);

impl TryFrom<String> for Title {
    type Error = Invalid;

    fn try_from(raw: String) -> Result<Self, Invalid> {
        let title = raw.trim();
        if title.is_empty() || title.chars().count() > TITLE_CHARS_MAX || title.contains(char::is_control) {
            return Err(Invalid::Title);
        }
        Ok(Self(title.to_owned()))
    }
}

impl Title {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text: up to 20,000 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body(String);

impl TryFrom<String> for Body {
    type Error = Invalid;

    fn try_from(raw: String) -> Result<Self, Invalid> {
        // PostgreSQL stores no NUL in a text.
        if raw.chars().count() > BODY_CHARS_MAX || raw.contains('\0') {
            return Err(Invalid::Body);
        }
        Ok(Self(raw))
    }
}

impl Body {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why input is invalid. The messages are for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The title is empty, too long or has line breaks.
    #[error("title must have 1 to 200 characters and no line breaks")]
    Title,
    /// The text is too long.
    #[error("body must have up to 20,000 characters")]
    Body,
    /// The size of a page is out of range.
    #[error("limit must be 1 to 200")]
    Limit,
}

#[cfg(test)]
mod tests {
    use super::{Draft, Invalid};

    #[test]
    fn drafts_are_validated() {
        let cases = [
            (" Groceries ", "Bread\nOlives", Ok(())),
            ("é", "", Ok(())),
            (" ", "", Err(Invalid::Title)),
            ("a\nb", "", Err(Invalid::Title)),
            (&"a".repeat(201), "", Err(Invalid::Title)),
            ("a", &"b".repeat(20_001), Err(Invalid::Body)),
            ("a", "\0", Err(Invalid::Body)),
        ];
        for (title, body, expected) in cases {
            assert_eq!(Draft::parse(title.to_owned(), body.to_owned()).map(drop), expected, "{title:?}");
        }
    }

    #[test]
    fn titles_are_trimmed() {
        let draft = Draft::parse(" Groceries ".to_owned(), String::new()).unwrap();
        assert_eq!(draft.title.as_str(), "Groceries");
    }
}
