//! A backup file, encrypted or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use denizen_domain::rows::{Cell, Row, Table};
use denizen_infra::snapshots::{Contents, Header, SnapshotReader};

use crate::encrypted_file::{DecryptionArgs, EncryptedFile, Identities, MAGIC, is_encrypted};

/// The contents of a backup, decrypted.
type Stream = Box<dyn Read + Send>;

/// A backup that can be read several times; a passphrase is asked for once.
pub(crate) struct BackupFile {
    path: PathBuf,
    /// What decrypts it, if it is encrypted.
    identities: Option<Identities>,
}

/// A backup that is complete and unchanged.
pub(crate) struct Verified {
    pub(crate) header: Header,
    pub(crate) contents: Contents,
    /// The identifiers of the master keys that open it.
    pub(crate) master_ids: Vec<String>,
}

impl BackupFile {
    /// Opens a backup, and reads or asks for the secret that decrypts it.
    pub(crate) fn open(path: &Path, keys: &DecryptionArgs) -> anyhow::Result<Self> {
        let opened = || {
            let mut reader = reader(path)?;
            if !is_encrypted(head(&mut reader)?) {
                return Ok(None);
            }
            let needs_passphrase = EncryptedFile::open(reader)?.needs_passphrase();
            anyhow::Ok(Some(keys.identities(needs_passphrase)?))
        };
        let identities = opened().with_context(|| format!("reading {}", path.display()))?;
        Ok(Self { path: path.to_owned(), identities })
    }

    /// Reads the backup from its beginning.
    pub(crate) fn read(&self) -> anyhow::Result<SnapshotReader<Stream>> {
        let opened = || {
            let reader = reader(&self.path)?;
            let stream: Stream = match &self.identities {
                Some(identities) => Box::new(EncryptedFile::open(reader)?.decrypt(identities)?),
                None => Box::new(reader),
            };
            anyhow::Ok(SnapshotReader::open(stream)?)
        };
        opened().with_context(|| format!("reading {}", self.path.display()))
    }

    /// Reads the backup to its end and checks that it is complete and unchanged.
    pub(crate) fn verify(&self) -> anyhow::Result<Verified> {
        let mut master_ids = Vec::new();
        let verified = self.read()?.verify(|table, rows| {
            if table.name == "root_keys" {
                master_ids.extend(texts(table, rows, "master_id"));
            }
        });
        let (header, contents) = verified.with_context(|| format!("reading {}", self.path.display()))?;
        Ok(Verified { header, contents, master_ids })
    }
}

fn reader(path: &Path) -> anyhow::Result<BufReader<File>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() { Err(anyhow!("is a directory")) } else { Ok(BufReader::new(file)) }
}

/// The first bytes of a stream, which stay in it.
fn head(reader: &mut BufReader<File>) -> io::Result<&[u8]> {
    let head = reader.fill_buf()?;
    Ok(&head[..head.len().min(MAGIC.len())])
}

/// The texts in a column.
fn texts<'a>(table: &Table, rows: &'a [Row], column: &str) -> impl Iterator<Item = String> + 'a {
    let at = table.column(column);
    rows.iter().filter_map(move |row| match row.get(at?) {
        Some(Cell::Text(text)) => Some(text.clone()),
        _ => None,
    })
}
