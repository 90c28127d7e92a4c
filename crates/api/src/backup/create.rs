//! Makes a backup.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use denizen_domain::Services;
use denizen_domain::events::chain::ChainKey;
use denizen_domain::rows::require_all;
use denizen_infra::snapshots::{self, Contents, Header, OnProgress};
use denizen_infra::stores::StoreOptions;
use tokio::task::spawn_blocking;

use crate::atomic_file::AtomicFile;
use crate::encrypted_file::{EncryptingWriter, Recipients};

/// Where a backup is written.
pub(crate) enum Target {
    /// A file. It appears under its name when it is complete, readable only by its owner.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

/// A backup that was made.
pub(crate) struct Made {
    pub(crate) header: Header,
    pub(crate) contents: Contents,
    /// The size of the file.
    pub(crate) bytes: u64,
}

/// Writes a backup of the state at this moment. The server goes on reading and writing.
pub(crate) async fn create(
    services: &Services,
    options: &StoreOptions,
    target: &Target,
    recipients: Option<&Recipients>,
    on_progress: OnProgress<'_>,
) -> anyhow::Result<Made> {
    let chain_key = ChainKey::derive(services.vault.as_ref());
    // Before the snapshot: what was written after this time may be missing.
    let created_at = services.clock.now().to_string();
    let mut source = options.row_reader(Some(&chain_key)).await?;
    require_all(source.tables())?;
    let header = Header::new(source.as_ref(), created_at, env!("CARGO_PKG_VERSION"), options.system_name());
    let failed = || match target {
        Target::File(path) => format!("writing {}", path.display()),
        Target::Stdout => "writing the backup".to_owned(),
    };
    let (draft, raw): (_, Box<dyn Write + Send>) = match target {
        Target::File(path) => {
            if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
                return Err(anyhow!("is not a regular file").context(failed()));
            }
            let draft = AtomicFile::create(path).with_context(failed)?;
            let file = draft.file().try_clone().with_context(failed)?;
            (Some(draft), Box::new(file))
        }
        Target::Stdout => (None, Box::new(io::stdout())),
    };
    let counted = Counted { sink: BufWriter::with_capacity(128 * 1024, raw), bytes: 0 };
    let sink = match recipients {
        None => Sink::Plain(counted),
        Some(recipients) => Sink::Encrypted(EncryptingWriter::new(counted, recipients)?),
    };
    let (sink, contents) =
        snapshots::write(source.as_mut(), header.clone(), sink, on_progress).await.with_context(failed)?;
    let finishing = spawn_blocking(move || {
        let mut counted = sink.finish()?;
        counted.flush()?;
        io::Result::Ok(counted.bytes)
    });
    let bytes = finishing.await?.with_context(failed)?;
    if let Some(draft) = draft {
        draft.persist().with_context(failed)?;
    }
    Ok(Made { header, contents, bytes })
}

/// Counts what is written.
struct Counted<W> {
    sink: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(buffer)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

type Raw = Counted<BufWriter<Box<dyn Write + Send>>>;

/// The compressed stream goes here.
enum Sink {
    Plain(Raw),
    Encrypted(EncryptingWriter<Raw>),
}

impl Sink {
    fn finish(self) -> io::Result<Raw> {
        match self {
            Self::Plain(sink) => Ok(sink),
            Self::Encrypted(sink) => sink.finish(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sink) => sink.write(buffer),
            Self::Encrypted(sink) => sink.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.flush(),
            Self::Encrypted(sink) => sink.flush(),
        }
    }
}
