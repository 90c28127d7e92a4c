//! Makes a backup.

use std::fs::File;
use std::io::{self, BufWriter, IntoInnerError, Stdout, Write};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use denizen_domain::Services;
use denizen_domain::events::chain::ChainKey;
use denizen_domain::rows::{RowReader, require_all};
use denizen_infra::s3::{ObjectWriter, S3, S3Error, Upload};
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
    /// An object, which appears when it is complete.
    Object {
        storage: Box<S3>,
        key: String,
        /// Its name in messages.
        path: String,
    },
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
        Target::Object { path, .. } => format!("writing {path}"),
    };
    let (raw, end) = open(target).with_context(failed)?;
    // An upload has a buffer of its own; a second one would be written when it is dropped, on a thread that must not wait.
    let buffer = if matches!(target, Target::Object { .. }) { 0 } else { 128 * 1024 };
    let counted = Counted { sink: BufWriter::with_capacity(buffer, raw), bytes: 0 };
    let sink = match recipients {
        None => Sink::Plain(counted),
        Some(recipients) => Sink::Encrypted(EncryptingWriter::new(counted, recipients)?),
    };
    let written = write(source.as_mut(), header.clone(), sink, on_progress).await;
    let (contents, bytes) = end.complete(written).await.with_context(failed)?;
    Ok(Made { header, contents, bytes })
}

async fn write(
    source: &mut dyn RowReader,
    header: Header,
    sink: Sink,
    on_progress: OnProgress<'_>,
) -> anyhow::Result<(Contents, u64)> {
    let (sink, contents) = snapshots::write(source, header, sink, on_progress).await?;
    let finishing = spawn_blocking(move || {
        let counted = sink.finish()?;
        let bytes = counted.bytes;
        counted.sink.into_inner().map_err(IntoInnerError::into_error)?.finish()?;
        io::Result::Ok(bytes)
    });
    Ok((contents, finishing.await??))
}

fn open(target: &Target) -> anyhow::Result<(Raw, End)> {
    Ok(match target {
        Target::File(path) => {
            if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
                return Err(anyhow!("is not a regular file"));
            }
            let draft = AtomicFile::create(path)?;
            (Raw::File(draft.file().try_clone()?), End::File(draft))
        }
        Target::Stdout => (Raw::Stdout(io::stdout()), End::Nothing),
        Target::Object { storage, key, .. } => {
            let (writer, upload) = storage.upload(key.clone());
            (Raw::Object(writer), End::Object(upload))
        }
    })
}

/// What is written to.
enum Raw {
    File(File),
    Stdout(Stdout),
    Object(ObjectWriter),
}

impl Raw {
    fn finish(self) -> io::Result<()> {
        match self {
            Self::File(_) => Ok(()),
            Self::Stdout(mut stdout) => stdout.flush(),
            Self::Object(writer) => writer.finish(),
        }
    }
}

impl Write for Raw {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(buffer),
            Self::Stdout(stdout) => stdout.write(buffer),
            Self::Object(writer) => writer.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
            Self::Object(writer) => writer.flush(),
        }
    }
}

/// What completes a target.
enum End {
    File(AtomicFile),
    Nothing,
    Object(Upload),
}

impl End {
    /// Makes a backup visible that was written.
    async fn complete<T>(self, written: anyhow::Result<T>) -> anyhow::Result<T> {
        match self {
            Self::Nothing => written,
            Self::File(draft) => {
                let written = written?;
                draft.persist()?;
                Ok(written)
            }
            Self::Object(upload) => match upload.complete().await {
                Ok(()) => written,
                Err(S3Error::Canceled) => written.and(Err(S3Error::Canceled.into())),
                // Writing failed because the upload did.
                Err(error) => Err(error.into()),
            },
        }
    }
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

type Buffered = Counted<BufWriter<Raw>>;

/// The compressed stream goes here.
enum Sink {
    Plain(Buffered),
    Encrypted(EncryptingWriter<Buffered>),
}

impl Sink {
    fn finish(self) -> io::Result<Buffered> {
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
