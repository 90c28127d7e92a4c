//! Output of long results: a file that is created when it is complete, or standard output.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;

use super::failure::Failure;
use crate::atomic_file::AtomicFile;

/// Writes to a file, or to standard output if the path is `-`, and reports how many of `unit` `write` wrote.
pub(super) async fn write_whole(
    file: &str,
    unit: &str,
    write: impl AsyncFnOnce(&mut dyn Write) -> Result<u64, Failure>,
) -> Result<(), Failure> {
    if file == "-" {
        return write(&mut BufWriter::new(io::stdout())).await.map(drop);
    }
    let path = Path::new(file);
    let failed = || format!("writing {}", path.display());
    // A device or a pipe is written directly.
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        let mut writer = BufWriter::new(OpenOptions::new().write(true).open(path).with_context(failed)?);
        let count = write(&mut writer).await?;
        writer.flush().with_context(failed)?;
        return say(count, unit, path);
    }
    let draft = AtomicFile::create(path).with_context(failed)?;
    let mut writer = BufWriter::new(draft.file());
    let count = write(&mut writer).await?;
    writer.flush().with_context(failed)?;
    drop(writer);
    draft.persist().with_context(failed)?;
    say(count, unit, path)
}

fn say(count: u64, unit: &str, path: &Path) -> Result<(), Failure> {
    writeln!(io::stderr(), "exported {count} {unit} to {}", path.display())?;
    Ok(())
}
