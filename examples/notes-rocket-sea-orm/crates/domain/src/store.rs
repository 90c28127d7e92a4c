//! The port of the database.

use std::error::Error;

use async_trait::async_trait;

use crate::note::{Note, NoteId, OwnerId};

/// The notes of all users. Every method names the owner: a note of another user does not exist.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Notes: Send + Sync + 'static {
    /// Stores a new note.
    async fn insert(&self, owner: OwnerId, note: &Note) -> Result<(), StoreError>;

    /// The newest notes that are older than `before`.
    async fn list(&self, owner: OwnerId, before: Option<NoteId>, limit: u32) -> Result<Vec<Note>, StoreError>;

    /// A note; `None` if there is no such note.
    async fn find(&self, owner: OwnerId, id: NoteId) -> Result<Option<Note>, StoreError>;

    /// Replaces title and text. `false` if there is no such note.
    async fn replace(&self, owner: OwnerId, note: &Note) -> Result<bool, StoreError>;

    /// Deletes a note. `false` if there was no such note.
    async fn delete(&self, owner: OwnerId, id: NoteId) -> Result<bool, StoreError>;

    /// Deletes the notes of a user, and returns their number.
    async fn delete_all(&self, owner: OwnerId) -> Result<u64, StoreError>;

    /// Succeeds if the database responds.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// The database failed. The source is for logs.
#[derive(Debug, thiserror::Error)]
#[error("the database failed")]
pub struct StoreError(#[source] Box<dyn Error + Send + Sync>);

impl StoreError {
    /// Wraps the error of a database library.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}
