//! The audit view: the whole log, with where everything was done from and by which credential, and the verification of
//! its hash chain.
//!
//! It is the log of [`crate::events`], read by those who may see all of a record.

pub mod fault;
pub mod head;
pub mod list;
pub mod seal;
pub mod verify;

pub use fault::Fault;
pub use head::{Head, head, last_head};
pub use list::{AuditFilter, RawFilter, list};
pub use seal::{key_log, reseal};
pub use verify::{KnownHead, Report, verify};
