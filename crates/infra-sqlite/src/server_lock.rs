//! One server per file. Two would wait for each other's writes, notice each other's events late and count requests apart;
//! and a second one is usually started by mistake.
//!
//! The lock is the operating system's, on a file beside the database. It ends with the process, however that ends, and
//! the command line, which works beside a server, does not take it.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::file::{beside, private};

/// How much is read of the file that names the process, in bytes.
const PROCESS_BYTES_MAX: u64 = 20;

/// The right to serve a database file, until it is dropped.
#[derive(Debug)]
pub struct ServerLock {
    _file: File,
}

impl ServerLock {
    /// Takes the lock beside the file, which is resolved first: links to one database share one lock.
    ///
    /// # Errors
    /// When another server has it, in this process or another, or the file system has no locks.
    pub fn acquire(database: &Path) -> Result<Self, ServerLockError> {
        let cannot = |source| ServerLockError::Unsupported { database: database.to_owned(), source };
        let resolved = resolve(database).map_err(cannot)?;
        let mut file = private().read(true).truncate(false).open(beside(&resolved, ".server")).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ServerLockError::Held { database: database.to_owned(), process: process_in(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(cannot(source)),
        }
        // For the message of a second server; the lock does not depend on it.
        let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(error) = noted {
            tracing::debug!(%error, "cannot note the process that serves the database");
        }
        Ok(Self { _file: file })
    }
}

/// The path of a database file without symbolic links. The file need not exist; its folder is created.
///
/// # Errors
/// When the folder cannot be created or read.
pub fn resolve(database: &Path) -> io::Result<PathBuf> {
    if let Ok(resolved) = database.canonicalize() {
        return Ok(resolved);
    }
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let name = database.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(folder.canonicalize()?.join(name))
}

fn process_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(PROCESS_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Why a database file cannot be served.
#[derive(Debug)]
pub enum ServerLockError {
    /// Another server has it.
    Held {
        /// Which file.
        database: PathBuf,
        /// The process that has it, if it is known.
        process: Option<u32>,
    },
    /// The lock cannot be taken at all.
    Unsupported {
        /// Which file.
        database: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for ServerLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { database, process } => {
                let process = process.map(|id| format!(" (process {id})")).unwrap_or_default();
                write!(
                    f,
                    "another server{process} uses the database {}. Stop it first, or give this one a database of its \
                     own; several servers share a database on PostgreSQL only",
                    database.display()
                )
            }
            Self::Unsupported { database, .. } => write!(
                f,
                "cannot lock the file beside the database {}; it must be in a folder that the server may write to, \
                 on a local file system",
                database.display()
            ),
        }
    }
}

impl std::error::Error for ServerLockError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Held { .. } => None,
            Self::Unsupported { source, .. } => Some(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ServerLock, ServerLockError};

    #[test]
    fn one_server_has_a_file_until_it_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("data/x.db");
        let lock = ServerLock::acquire(&database).unwrap();
        let refused = ServerLock::acquire(&database).unwrap_err();
        assert!(
            matches!(&refused, ServerLockError::Held { process: Some(id), .. } if *id == std::process::id()),
            "{refused}"
        );
        let other = ServerLock::acquire(&folder.path().join("data/y.db")).unwrap();
        drop((lock, other));
        ServerLock::acquire(&database).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_database_shares_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (database, link) = (folder.path().join("x.db"), folder.path().join("link.db"));
        std::fs::write(&database, "").unwrap();
        std::os::unix::fs::symlink(&database, &link).unwrap();
        let _lock = ServerLock::acquire(&link).unwrap();
        assert!(matches!(ServerLock::acquire(&database), Err(ServerLockError::Held { .. })));
    }
}
