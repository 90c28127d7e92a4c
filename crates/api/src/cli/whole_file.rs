//! Output of long results: a file that is created when it is complete, or standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

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
    // A device or a pipe is written in place; a file is written aside, so that a half one never stands there.
    let is_special = path.metadata().is_ok_and(|found| !found.is_file());
    let draft = if is_special { path.to_owned() } else { draft_of(path) };
    let file = owner_only().create(true).truncate(true).write(true).open(&draft).with_context(failed)?;
    let written = write_to(file, is_special, write).await;
    match written {
        Ok(count) if is_special => say(count, unit, path),
        Ok(count) => {
            std::fs::rename(&draft, path).with_context(failed)?;
            say(count, unit, path)
        }
        Err(failure) => {
            if !is_special {
                // What broke the export off is told; a draft left behind is not worth a second line.
                let _ = std::fs::remove_file(&draft);
            }
            Err(failure)
        }
    }
}

async fn write_to(
    file: File,
    is_special: bool,
    write: impl AsyncFnOnce(&mut dyn Write) -> Result<u64, Failure>,
) -> Result<u64, Failure> {
    let mut writer = BufWriter::new(file);
    let count = write(&mut writer).await?;
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    if !is_special {
        file.sync_all()?;
    }
    Ok(count)
}

fn say(count: u64, unit: &str, path: &Path) -> Result<(), Failure> {
    writeln!(io::stderr(), "exported {count} {unit} to {}", path.display())?;
    Ok(())
}

fn draft_of(path: &Path) -> PathBuf {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".partial");
    draft.into()
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
