//! Whether the database file that is open is still the one under its name.
//!
//! A file that was removed or replaced goes on taking writes that no later start finds.

use std::path::{Path, PathBuf};

use denizen_domain::store::StoreError;

use crate::error::unavailable;

/// What identifies the file that was opened.
#[derive(Debug)]
pub(crate) struct FileIdentity {
    path: PathBuf,
    opened: Option<Identity>,
}

/// Device and inode.
type Identity = (u64, u64);

impl FileIdentity {
    /// The identity of the file that is opened under this path.
    pub(crate) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), opened: identity(path) }
    }

    /// Refuses when there is no file under the path any more, or another one.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.opened.is_none() || identity(&self.path) == self.opened {
            return Ok(());
        }
        Err(unavailable(format!(
            "the database file {} was removed or replaced while it was open: restart the server",
            self.path.display()
        )))
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> Option<Identity> {
    None
}
