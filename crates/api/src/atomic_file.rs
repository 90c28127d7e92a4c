//! Files that appear under their name when they are complete.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// How the name of a draft ends.
pub(crate) const DRAFT_SUFFIX: &str = ".partial";

/// A file under a random name beside its own, which only its owner can read. Dropped, it is deleted.
pub(crate) struct AtomicFile {
    draft: NamedTempFile,
    path: PathBuf,
}

impl AtomicFile {
    /// Creates the draft of a file.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut prefix = OsString::from(".");
        prefix.push(path.file_name().unwrap_or_default());
        prefix.push(".");
        let draft = tempfile::Builder::new().prefix(&prefix).suffix(DRAFT_SUFFIX).tempfile_in(folder_of(path))?;
        Ok(Self { draft, path: path.to_owned() })
    }

    /// The draft, to write to it.
    pub(crate) fn file(&self) -> &File {
        self.draft.as_file()
    }

    /// Gives the file its name, in place of an existing file. File and name are on disk when this returns.
    pub(crate) fn persist(self) -> io::Result<()> {
        self.draft.as_file().sync_all()?;
        self.draft.persist(&self.path)?;
        sync_folder_of(&self.path)
    }
}

/// Makes the names in the folder of a file durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
