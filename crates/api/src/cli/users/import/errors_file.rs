//! The rejected lines of an import, to be corrected and imported again.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, anyhow};
use denizen_domain::error::FieldError;
use serde::Serialize;

use super::report::{FieldBody, fields_of};
use crate::cli::failure::Failure;

/// What the file of faults is named after the file of lines.
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
    /// Its number in the file of rejected lines; `null` if it is too long to be kept.
    line: Option<u64>,
    /// Its number in the input.
    input_line: u64,
    fields: Vec<FieldBody<'a>>,
}

impl ErrorsFile {
    /// Creates both files, readable only by their owner: lines can contain password hashes.
    pub(super) fn create(file: &str, input: &str) -> Result<Self, Failure> {
        if is_same(file, input) {
            return Err(Failure::Usage("--errors must not name the file that is imported".to_owned()));
        }
        let faults = format!("{file}{FAULTS_SUFFIX}");
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

    /// Writes what is buffered.
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
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    if Path::new(path).is_dir() {
        return Err(anyhow!("writing {path}: is a directory").into());
    }
    Ok(BufWriter::new(options.open(path).with_context(|| format!("writing {path}"))?))
}
