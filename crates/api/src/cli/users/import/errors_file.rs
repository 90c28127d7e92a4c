//! The rejected lines of an import, to be corrected and imported again.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, anyhow};
use denizen_domain::error::FieldError;
use serde::Serialize;

use super::report::{FieldBody, fields_of};
use crate::cli::failure::Failure;

/// Appended to the name of the file of lines to get the name of the file of faults.
const FAULTS_SUFFIX: &str = ".faults";

/// A file with each rejected line exactly as it was read, and one with the faults of each.
pub(super) struct ErrorsFile {
    lines: BufWriter<File>,
    faults: BufWriter<File>,
    /// How many lines were written.
    count: u64,
}

/// The faults of a line.
#[derive(Serialize)]
struct FaultsBody<'a> {
    /// Its number in the file of rejected lines; `null` if it is not in that file.
    line: Option<u64>,
    /// Its number in the input.
    input_line: u64,
    fields: Vec<FieldBody<'a>>,
}

impl ErrorsFile {
    /// Creates both files, readable only by their owner: lines can contain password hashes.
    pub(super) fn create<'a>(file: &str, inputs: impl Iterator<Item = &'a str>) -> Result<Self, Failure> {
        let faults = format!("{file}{FAULTS_SUFFIX}");
        for input in inputs {
            if is_same(file, input) || is_same(&faults, input) {
                let message = format!("--errors: {file} and {faults} must not overwrite the input {input}");
                return Err(Failure::Usage(message));
            }
        }
        Ok(Self { lines: create(file)?, faults: create(&faults)?, count: 0 })
    }

    /// Adds a rejected line.
    pub(super) fn add(&mut self, input_line: u64, text: Option<&[u8]>, faults: &[FieldError]) -> Result<(), Failure> {
        let line = match text {
            Some(text) => {
                self.lines.write_all(text)?;
                self.lines.write_all(b"\n")?;
                self.count += 1;
                Some(self.count)
            }
            None => None,
        };
        let body = FaultsBody { line, input_line, fields: fields_of(faults) };
        serde_json::to_writer(&mut self.faults, &body).map_err(io::Error::from)?;
        self.faults.write_all(b"\n")?;
        Ok(())
    }

    /// Flushes both files.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.lines.flush()?;
        Ok(self.faults.flush()?)
    }
}

fn is_same(file: &str, input: &str) -> bool {
    let canonical = |path: &str| Path::new(path).canonicalize().ok();
    file == input || (canonical(file).is_some() && canonical(file) == canonical(input))
}

fn create(path: &str) -> Result<BufWriter<File>, Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    if Path::new(path).is_dir() {
        return Err(anyhow!("writing {path}: is a directory").into());
    }
    let file = options.open(path).and_then(|file| empty(&file).map(|()| file));
    Ok(BufWriter::new(file.with_context(|| format!("writing {path}"))?))
}

/// Truncates an existing file, and makes it readable only by its owner. Pipes and devices are unchanged.
fn empty(file: &File) -> io::Result<()> {
    if !file.metadata()?.is_file() {
        return Ok(());
    }
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.set_len(0)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::ErrorsFile;

    #[test]
    fn an_existing_file_becomes_private_and_no_input_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (errors, faults, input) = (path("errors"), path("errors.faults"), path("input"));
        for file in [&errors, &faults, &input] {
            fs::write(file, "x").unwrap();
            fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
        }
        for inputs in [[&input, &errors], [&faults, &input]] {
            assert!(ErrorsFile::create(&errors, inputs.into_iter().map(String::as_str)).is_err());
            assert_eq!(fs::read(&errors).unwrap(), b"x");
        }
        ErrorsFile::create(&errors, [input.as_str()].into_iter()).ok().unwrap();
        for file in [&errors, &faults] {
            let metadata = fs::metadata(file).unwrap();
            assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (0, 0o600));
        }
    }
}
