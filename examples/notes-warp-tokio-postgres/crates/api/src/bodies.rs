//! The JSON of requests and responses, and its conversion to the types of `domain`.

use domain::{Draft, Invalid, Note, NoteId, Page, PageRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The largest body of a request: more than the largest note in JSON, which escapes a character with up to twelve.
pub(crate) const BODY_BYTES_MAX: usize = 256 * 1024;

/// A note.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoteBody {
    /// The unique identifier.
    id: Uuid,
    /// The title.
    title: String,
    /// The text.
    body: String,
}

impl From<Note> for NoteBody {
    fn from(note: Note) -> Self {
        Self { id: note.id.0, title: note.title.as_str().to_owned(), body: note.body.as_str().to_owned() }
    }
}

/// What a user writes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"title": "Groceries", "body": "Bread, olives"}))]
pub(crate) struct DraftBody {
    /// The title, without line breaks.
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    /// The text.
    #[serde(default)]
    #[schema(max_length = 20_000)]
    body: String,
}

impl TryFrom<DraftBody> for Draft {
    type Error = Invalid;

    fn try_from(draft: DraftBody) -> Result<Self, Invalid> {
        Self::parse(draft.title, draft.body)
    }
}

/// Which notes to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// The value of `next` of the page before.
    before: Option<Uuid>,
    /// The number of notes: 1 to 200, by default 50.
    limit: Option<u32>,
}

impl TryFrom<PageParams> for PageRequest {
    type Error = Invalid;

    fn try_from(params: PageParams) -> Result<Self, Invalid> {
        Self::parse(params.before.map(NoteId), params.limit)
    }
}

/// A page of notes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageBody {
    /// The notes, newest first.
    notes: Vec<NoteBody>,
    /// The value of `before` for the next page; `null` on the last one.
    next: Option<Uuid>,
}

impl From<Page> for PageBody {
    fn from(page: Page) -> Self {
        Self { notes: page.notes.into_iter().map(NoteBody::from).collect(), next: page.next.map(|id| id.0) }
    }
}

/// The number of deleted notes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedBody {
    /// The number of notes.
    pub(crate) deleted: u64,
}
