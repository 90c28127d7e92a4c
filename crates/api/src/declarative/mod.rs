//! Declarative configuration: files describe resources, and the database is made to agree with them.
//!
//! Reading order: `kind` (what a kind of resource provides) → `kinds` (each in one file) → `document` (the files)
//! → `section` (which resource is which, and what differs) → `plan` (all changes in order).
//!
//! Invariants:
//! - Nothing is written before everything is read, checked and planned.
//! - The use cases make the changes, each conditional on the version that was planned with.
//! - Fields, and what is said of invalid ones, are those of the REST API: its types are read and written here.
//! - No secret is in a message, a difference or an event.

pub(crate) mod diff;
pub(crate) mod document;
pub(crate) mod drift;
pub(crate) mod kind;
mod kinds;
pub(crate) mod plan;
pub(crate) mod schema;
pub(crate) mod section;
pub(crate) mod tree;

pub use schema::schema;

use kinds::{Providers, Roles, ServiceAccounts, Webhooks};
use section::{Of, Section};

/// All kinds, in the order in which they are created and changed. Deletions follow, in the reverse order.
pub(crate) static SECTIONS: [&dyn Section; 4] =
    [&Of::<Roles>::SECTION, &Of::<Providers>::SECTION, &Of::<ServiceAccounts>::SECTION, &Of::<Webhooks>::SECTION];
