//! Reads the user exports of other systems (Auth0, Firebase, Keycloak and others) and yields their users in the format
//! of `denizen users import`: one [`Record`] for each user, in the order of the files.
//!
//! ```no_run
//! use denizen_import_sources::{Options, Source, read};
//!
//! let mut rows = read(Source::Auth0, &["users.ndjson".into(), "hashes.ndjson".into()], Options::default())?;
//! for row in &mut rows {
//!     match row.result {
//!         Ok(record) => println!("{}", serde_json::to_string(&record).expect("a record is JSON")),
//!         Err(faults) => eprintln!("{}:{}: {faults:?}", row.file.display(), row.line),
//!     }
//! }
//! for line in rows.report().lines() {
//!     eprintln!("not carried over: {line}");
//! }
//! # Ok::<(), denizen_import_sources::Error>(())
//! ```
//!
//! Files are read one record at a time, and a record has at most [`RECORD_BYTES_MAX`] bytes. What has to be joined to the
//! users (password hashes, outside identities, metadata in another file or further down in the same one) is read first
//! and kept in memory, as is a digest of each address, which detects duplicates.
//!
//! The records are not validated here: `denizen users import` applies the same rules to them as to any other line.

mod base32;
mod convert;
mod draft;
mod error;
mod fields;
mod input;
mod issuers;
mod mapping;
mod moment;
mod options;
mod record;
mod report;
mod rows;
mod seen;
mod source;
mod sources;

pub use error::Error;
pub use options::{CsvFormat, FieldMap, FirebaseHashConfig, Options, RoleMap, Selector};
pub use record::{Identity, Record, Totp};
pub use report::Report;
pub use rows::{Fault, Row, Rows, read};
pub use source::{Source, recognise};

/// The maximum size of one record in bytes: one JSON object or one row of a CSV file.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;
