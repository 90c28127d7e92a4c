//! The use cases.

use std::fmt;
use std::sync::Arc;

use crate::note::{Draft, Note, NoteId, OwnerId};
use crate::page::{Page, PageRequest};
use crate::store::{Notes, StoreError};

/// Why a use case failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such note, or it belongs to another user.
    #[error("There is no such note.")]
    NotFound,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What users can do with their notes.
#[derive(Clone)]
pub struct NoteService(Arc<dyn Notes>);

impl NoteService {
    /// The use cases over a store.
    #[must_use]
    pub fn new(notes: impl Notes) -> Self {
        Self(Arc::new(notes))
    }

    /// Creates a note.
    pub async fn create(&self, owner: OwnerId, draft: Draft) -> Result<Note, Error> {
        let note = Note { id: NoteId::generate(), title: draft.title, body: draft.body };
        self.0.insert(owner, &note).await?;
        Ok(note)
    }

    /// Lists notes, newest first.
    pub async fn list(&self, owner: OwnerId, request: PageRequest) -> Result<Page, Error> {
        let size = usize::try_from(request.limit).unwrap_or(usize::MAX);
        // One more than the page has: whether there is a next page.
        let mut notes = self.0.list(owner, request.before, request.limit + 1).await?;
        let has_next = notes.len() > size;
        notes.truncate(size);
        let next = if has_next { notes.last().map(|note| note.id) } else { None };
        Ok(Page { notes, next })
    }

    /// Returns a note.
    pub async fn get(&self, owner: OwnerId, id: NoteId) -> Result<Note, Error> {
        self.0.find(owner, id).await?.ok_or(Error::NotFound)
    }

    /// Replaces title and text of a note.
    pub async fn replace(&self, owner: OwnerId, id: NoteId, draft: Draft) -> Result<Note, Error> {
        let note = Note { id, title: draft.title, body: draft.body };
        if self.0.replace(owner, &note).await? { Ok(note) } else { Err(Error::NotFound) }
    }

    /// Deletes a note.
    pub async fn delete(&self, owner: OwnerId, id: NoteId) -> Result<(), Error> {
        if self.0.delete(owner, id).await? { Ok(()) } else { Err(Error::NotFound) }
    }

    /// Deletes all notes of the user, and returns their number.
    pub async fn delete_all(&self, owner: OwnerId) -> Result<u64, Error> {
        Ok(self.0.delete_all(owner).await?)
    }

    /// Succeeds if requests can be served.
    pub async fn check(&self) -> Result<(), Error> {
        Ok(self.0.ping().await?)
    }
}

impl fmt::Debug for NoteService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoteService").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use mockall::predicate::eq;
    use uuid::Uuid;

    use super::{Error, NoteService};
    use crate::note::{Draft, Note, NoteId, OwnerId};
    use crate::page::PageRequest;
    use crate::store::{MockNotes, StoreError};

    const OWNER: OwnerId = OwnerId(Uuid::from_u128(1));

    fn note(id: u128) -> Note {
        Note::from_parts(Uuid::from_u128(id), id.to_string(), String::new()).unwrap()
    }

    fn draft() -> Draft {
        Draft::parse("Groceries".to_owned(), String::new()).unwrap()
    }

    #[tokio::test]
    async fn a_page_names_the_next_one_if_there_is_one() {
        for (stored, listed, next) in [(0, 0, None), (2, 2, None), (3, 2, Some(NoteId(Uuid::from_u128(1))))] {
            let mut store = MockNotes::new();
            let notes: Vec<Note> = (0..stored).map(note).collect();
            store.expect_list().with(eq(OWNER), eq(None), eq(3)).return_once(|_, _, _| Ok(notes));
            let request = PageRequest::parse(None, Some(2)).unwrap();
            let page = NoteService::new(store).list(OWNER, request).await.unwrap();
            assert_eq!((page.notes.len(), page.next), (listed, next));
        }
    }

    #[tokio::test]
    async fn what_does_not_exist_is_not_found() {
        let mut store = MockNotes::new();
        store.expect_find().return_once(|_, _| Ok(None));
        store.expect_replace().return_once(|_, _| Ok(false));
        store.expect_delete().return_once(|_, _| Ok(false));
        let service = NoteService::new(store);
        let id = note(1).id;
        assert!(matches!(service.get(OWNER, id).await, Err(Error::NotFound)));
        assert!(matches!(service.replace(OWNER, id, draft()).await, Err(Error::NotFound)));
        assert!(matches!(service.delete(OWNER, id).await, Err(Error::NotFound)));
    }

    #[tokio::test]
    async fn a_new_note_is_stored_for_its_owner() {
        let mut store = MockNotes::new();
        store
            .expect_insert()
            .withf(|owner, note| *owner == OWNER && note.title.as_str() == "Groceries")
            .returning(|_, _| Ok(()));
        let service = NoteService::new(store);
        let (first, second) =
            (service.create(OWNER, draft()).await.unwrap(), service.create(OWNER, draft()).await.unwrap());
        assert_ne!(first.id, second.id);
    }

    #[tokio::test]
    async fn a_failure_of_the_database_is_passed_on() {
        let mut store = MockNotes::new();
        store.expect_insert().return_once(|_, _| Err(StoreError::new("disk full")));
        assert!(matches!(NoteService::new(store).create(OWNER, draft()).await, Err(Error::Store(_))));
    }
}
