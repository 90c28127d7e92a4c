//! Backups: a consistent copy of the database in one file, made while the server runs, and its way back.

mod create;
mod restore;
mod schedule;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, anyhow};
use denizen_infra::snapshots::{Contents, Header, SnapshotReader};

use crate::encrypted_file::{DecryptionArgs, MAGIC, is_encrypted};

pub(crate) use create::{Target, create};
pub(crate) use restore::{plan, restore};
pub(crate) use schedule::Schedule;

/// The contents of a backup, decrypted.
type Stream = Box<dyn Read + Send>;

/// Opens a backup.
pub(crate) fn open(file: &Path, keys: &DecryptionArgs) -> anyhow::Result<SnapshotReader<Stream>> {
    let failed = || format!("reading {}", file.display());
    let opened = File::open(file).with_context(failed)?;
    if opened.metadata().with_context(failed)?.is_dir() {
        return Err(anyhow!("is a directory").context(failed()));
    }
    let mut reader = BufReader::new(opened);
    let stream: Stream = if is_encrypted(head(&mut reader).with_context(failed)?) {
        Box::new(keys.open(reader).with_context(failed)?)
    } else {
        Box::new(reader)
    };
    SnapshotReader::open(stream).with_context(failed)
}

/// Reads a backup to its end and checks that it is complete and unchanged. Returns also the identifiers of the master keys
/// that open it.
pub(crate) fn verify(file: &Path, keys: &DecryptionArgs) -> anyhow::Result<(Header, Contents, Vec<String>)> {
    let mut masters = Vec::new();
    let verified = open(file, keys)?.verify(|table, rows| {
        if table.name == "root_keys"
            && let Some(at) = table.column("master_id")
        {
            masters.extend(rows.iter().filter_map(|row| match row.get(at) {
                Some(denizen_domain::rows::Cell::Text(id)) => Some(id.clone()),
                _ => None,
            }));
        }
    });
    let (header, contents) = verified.with_context(|| format!("reading {}", file.display()))?;
    Ok((header, contents, masters))
}

/// The first bytes of a stream, which stay in it.
fn head(reader: &mut BufReader<File>) -> io::Result<&[u8]> {
    let head = reader.fill_buf()?;
    Ok(&head[..head.len().min(MAGIC.len())])
}
