//! Backups: a consistent copy of the database in one file, made while the server runs, and its restore.

mod create;
mod destination;
mod file;
mod replace_file;
mod restore;
mod schedule;

pub(crate) use create::{Target, create};
pub(crate) use destination::Bucket;
pub(crate) use file::{BackupFile, Verified};
pub(crate) use restore::Restore;
pub(crate) use schedule::Schedule;
