//! What a note is and what a user can do with it.
//!
//! Reading order: `note` (types that only have valid values) → `store` (the port of the database) → `service` (the use
//! cases).

mod note;
mod page;
mod service;
mod store;

pub use note::{Body, Draft, Invalid, Note, NoteId, OwnerId, Title};
pub use page::{Page, PageRequest};
pub use service::{Error, NoteService};
#[cfg(feature = "mock")]
pub use store::MockNotes;
pub use store::{Notes, StoreError};
