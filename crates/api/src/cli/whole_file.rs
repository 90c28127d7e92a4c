//! Output of long results: a file that is created when it is complete, or standard output.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;

use super::failure::Failure;

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
    // A file is written under a random name that only the owner can read, and renamed when it is complete. On failure it
    // is removed.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    let draft = tempfile::Builder::new().prefix(&prefix).suffix(".partial").tempfile_in(folder).with_context(failed)?;
    let mut writer = BufWriter::new(draft);
    let count = write(&mut writer).await?;
    let draft = writer.into_inner().map_err(io::IntoInnerError::into_error).with_context(failed)?;
    draft.as_file().sync_all().with_context(failed)?;
    draft.persist(path).with_context(failed)?;
    say(count, unit, path)
}

fn say(count: u64, unit: &str, path: &Path) -> Result<(), Failure> {
    writeln!(io::stderr(), "exported {count} {unit} to {}", path.display())?;
    Ok(())
}
