//! Snapshots: all rows of a database in one compressed stream, the same for both databases.
//!
//! A snapshot is JSON lines, compressed with zstd. The first line is the [`Header`]. Every table begins with a line
//! `{"table":…,"columns":[…],"key":…}`; a row is an array with the values of these columns, where bytes are
//! `{"b64":…}`. The last line has the number of rows and the SHA-256 of all lines before it: a snapshot without it is
//! incomplete.

mod digest;
mod line;
mod read;
mod replicate;
mod restore;
#[cfg(test)]
mod tests;
mod write;

use std::io;

use denizen_domain::store::StoreError;
use serde::{Deserialize, Serialize};

pub use digest::{TableDigest, digest};
pub use read::SnapshotReader;
pub use replicate::{Difference, LogRows, replicate};
pub use restore::{Loaded, load};
pub use write::write;

/// The version of the format.
pub const FORMAT: u32 = 1;
/// How many rows are read, encoded and written at once.
const ROWS_AT_ONCE: u32 = 2_000;

/// What a snapshot says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the format.
    pub denizen_snapshot: u32,
    /// The moment of the snapshot (RFC 3339).
    pub created_at: String,
    /// The release that made it.
    pub release: String,
    /// The version of the last migration of its database.
    pub schema_version: i64,
    /// The database system, by the name that OpenTelemetry has for it.
    pub database: String,
}

/// How much a snapshot has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// The rows of every table, in the order of the stream.
    pub tables: Vec<(String, u64)>,
}

impl Contents {
    /// The rows of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, rows)| rows).sum()
    }

    /// The rows of one table.
    #[must_use]
    pub fn of(&self, table: &str) -> u64 {
        self.tables.iter().find(|(name, _)| name == table).map_or(0, |(_, rows)| *rows)
    }
}

/// Receives the number of rows that are done.
pub type OnProgress<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// Why a snapshot cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stream.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not a snapshot.
    #[error("the file is not a backup of Denizen")]
    Unknown,
    /// It has another format.
    #[error(
        "the backup has format {0}, this release reads format {FORMAT}: use the release that made it, or a later one"
    )]
    Format(u32),
    /// It is of a later schema.
    #[error("the backup was made by release {release}, whose schema is newer: use that release, or a later one")]
    Newer {
        /// The release that made it.
        release: String,
    },
    /// It was changed or cut.
    #[error("the backup is damaged: {0}")]
    Damaged(&'static str),
}
