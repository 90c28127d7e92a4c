//! The database file: made once, private from its first moment, and locked while it is migrated.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use denizen_domain::store::StoreError;

use crate::error::unavailable;

/// Makes an empty file and its folder when they are missing.
pub(crate) fn create(path: &Path) -> Result<(), StoreError> {
    if path.exists() {
        return Ok(());
    }
    let lock = lock(path)?;
    create_locked(path, &lock)
}

/// Makes an empty file when it is missing, for whoever holds the lock.
pub(crate) fn create_locked(path: &Path, _lock: &File) -> Result<(), StoreError> {
    if path.exists() {
        return Ok(());
    }
    // Under another name first: closing a file drops every lock that this process has on it (POSIX), and
    // under its own name SQLite may have some already.
    let fresh = beside(path, ".new");
    drop(private().truncate(true).open(&fresh).map_err(unavailable)?);
    std::fs::rename(&fresh, path).map_err(unavailable)
}

/// Waits for the lock beside the file and holds it until the handle is dropped.
pub(crate) fn lock(path: &Path) -> Result<File, StoreError> {
    let locked = || -> io::Result<File> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = private().truncate(false).open(beside(path, ".lock"))?;
        file.lock()?;
        Ok(file)
    };
    locked().map_err(unavailable)
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
