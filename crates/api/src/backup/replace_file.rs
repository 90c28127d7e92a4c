//! Puts a new SQLite file in the place of the database.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use denizen_infra::stores::companions;

use crate::atomic_file::sync_folder_of;

/// The draft of a database file, beside it.
pub(super) struct Draft {
    pub(super) path: PathBuf,
    database: PathBuf,
}

impl Draft {
    /// The draft for a database file. What an earlier restore left of it is deleted.
    pub(super) fn new(database: &Path) -> io::Result<Self> {
        let draft = Self { path: beside(database, ".restoring"), database: database.to_owned() };
        draft.delete()?;
        Ok(draft)
    }

    /// Deletes the draft and its companions.
    pub(super) fn delete(&self) -> io::Result<()> {
        let [log, index] = companions(&self.path);
        let files = [self.path.clone(), log, index, beside(&self.path, ".lock")];
        files.iter().try_for_each(|file| unless_absent(fs::remove_file(file)))
    }

    /// Replaces the database, whose write-ahead log is empty unless it is damaged. Returns where it is kept, if there was
    /// one. There is a database under the name at every moment.
    ///
    /// A write-ahead log that is left beside the database must not be there when the draft takes its name: SQLite would
    /// apply it. It is kept with the previous file, or alone if that is missing.
    pub(super) fn replace_database(&self, stamp: &str) -> io::Result<Option<PathBuf>> {
        let (database, previous) = (&self.database, beside(&self.database, &format!(".before-restore-{stamp}")));
        let is_present = database.exists();
        if is_present {
            keep(database, &previous)?;
        }
        for (log, kept) in companions(database).iter().zip(companions(&previous)) {
            unless_absent(fs::rename(log, kept))?;
        }
        sync_folder_of(database)?;
        fs::rename(&self.path, database)?;
        sync_folder_of(database)?;
        // What is left of the draft is empty.
        let _ = self.delete();
        Ok(is_present.then_some(previous))
    }
}

/// Gives a file a second name, or copies it where the file system has no links. Never replaces a file.
fn keep(file: &Path, kept: &Path) -> io::Result<()> {
    match fs::hard_link(file, kept) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            fs::copy(file, kept)?;
            File::open(kept)?.sync_all()
        }
        linked => linked,
    }
}

fn unless_absent(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
