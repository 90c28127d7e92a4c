//! Errors that end an import before or while its files are read.

use std::io;
use std::path::{Path, PathBuf};

use crate::source::Source;

/// Why files cannot be read. Faults of single users are in [`crate::Row`] instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Opening or reading a file failed.
    #[error("reading {}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The file is an export of another system.
    #[error("{}: this looks like {}: use --from {source_found}", file.display(), source_found.description())]
    OtherSource {
        /// The file.
        file: PathBuf,
        /// The system that it looks like.
        source_found: Source,
    },
    /// The file is neither an export of the given system nor of another known one.
    #[error("{}: no users of {} found: {reason}", file.display(), expected.label())]
    NotRecognised {
        /// The file.
        file: PathBuf,
        /// The given system.
        expected: Source,
        /// What was expected.
        reason: String,
    },
    /// The files do not contain the status of users.
    #[error("the files do not contain the status of users: {0}; or import all as active with --assume-active")]
    NoStatus(&'static str),
    /// A file with options cannot be used.
    #[error("{}: {reason}", file.display())]
    Options {
        /// The file.
        file: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
    /// An option cannot be used.
    #[error("{0}")]
    Option(String),
}

impl Error {
    pub(crate) fn io(file: &Path) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Io { file, source }
    }
}
