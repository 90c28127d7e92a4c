//! The users in some files.

use std::path::{Path, PathBuf};

use crate::convert::{Convert, Kind};
use crate::draft::Draft;
use crate::fields::Object;
use crate::input::{self, Broken, Entries, Entry, Layout};
use crate::options::Options;
use crate::record::Record;
use crate::report::Report;
use crate::seen::{Location, Seen};
use crate::source::{Source, recognise};
use crate::{Error, RECORD_BYTES_MAX, sources};

/// A user, or the faults of one.
#[derive(Debug)]
pub struct Row {
    /// The file.
    pub file: PathBuf,
    /// The line on which the user begins, from 1.
    pub line: u64,
    /// The number of the record in its file, from 1.
    pub index: u64,
    /// The user; or all faults at once.
    pub result: Result<Record, Vec<Fault>>,
}

/// Why a user cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field; `record` if it is none, `file` if the rest of the file cannot be read.
    pub field: &'static str,
    /// The reason. Never quotes a secret.
    pub reason: String,
}

/// The users in some files, in their order.
pub struct Rows {
    files: Vec<PathBuf>,
    at: usize,
    entries: Option<Entries>,
    index: u64,
    bytes_before: u64,
    bytes_total: u64,
    converter: Box<dyn Convert>,
    options: Options,
    report: Report,
    seen: Seen,
    has_finished: bool,
}

/// Opens files of another system. Records that are joined to users are read immediately.
///
/// # Errors
/// If a file cannot be read, is of another system, or does not contain the status of users.
pub fn read(source: Source, files: &[PathBuf], options: Options) -> Result<Rows, Error> {
    for file in files {
        check_source(source, file)?;
    }
    let mut converter = sources::converter(source);
    let mut bytes_total = 0;
    for file in files {
        bytes_total += std::fs::metadata(file).map_err(Error::io(file))?.len();
    }
    read_joined(&mut *converter, files, &options)?;
    converter.check(&options)?;
    Ok(Rows {
        files: files.to_vec(),
        at: 0,
        entries: None,
        index: 0,
        bytes_before: 0,
        bytes_total,
        converter,
        options,
        report: Report::default(),
        seen: Seen::default(),
        has_finished: false,
    })
}

fn check_source(source: Source, file: &Path) -> Result<(), Error> {
    let head = input::head(file)?;
    let is_json = input::is_json(&head);
    if source == Source::Csv && !is_json || source.matches(&String::from_utf8_lossy(&head)) {
        return Ok(());
    }
    match recognise(&head) {
        Some(source_found) => Err(Error::OtherSource { file: file.to_owned(), source_found }),
        None if source == Source::Csv => Err(Error::NotRecognised {
            file: file.to_owned(),
            expected: source,
            reason: "the file contains JSON; import one object per line without --from".to_owned(),
        }),
        None => Ok(()),
    }
}

fn open(converter: &dyn Convert, file: &Path, options: &Options) -> Result<Entries, Error> {
    let mut csv = converter.csv();
    let byte = |character: Option<char>| character.and_then(|character| u8::try_from(character).ok());
    csv.delimiter = byte(options.map.csv.delimiter).or(csv.delimiter);
    csv.escape = byte(options.map.csv.escape).or(csv.escape);
    Entries::open(file, &Layout { paths: converter.paths(), csv })
}

/// The first pass. Faults are reported by the second one.
fn read_joined(converter: &mut dyn Convert, files: &[PathBuf], options: &Options) -> Result<(), Error> {
    let joins = converter.joins(files.len());
    for file in files {
        let mut entries = open(converter, file, options)?;
        if let Some(columns) = entries.columns() {
            converter.check_columns(columns);
        }
        while joins && let Some(Ok(entry)) = entries.next() {
            if let Ok(record) = &entry.object {
                converter.read_joined(entry.kind, record);
            }
        }
    }
    Ok(())
}

impl Rows {
    /// Counts of the data that was not carried over so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// How many bytes of the files have been read.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.bytes_before + self.entries.as_ref().map_or(0, Entries::bytes_read)
    }

    /// How many bytes the files have.
    #[must_use]
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    /// A fault after which the current file is not read further.
    fn broken_file(&mut self, line: u64, reason: String) -> Row {
        let row = self.row(line, Err(vec![Fault { field: "file", reason }]));
        self.next_file();
        row
    }

    fn next_file(&mut self) {
        self.bytes_before += self.entries.take().map_or(0, |entries| entries.bytes_read());
        self.at += 1;
        self.index = 0;
    }

    fn row(&mut self, line: u64, result: Result<Record, Vec<Fault>>) -> Row {
        self.report.add_row(result.is_err());
        let file = self.files.get(self.at).cloned().unwrap_or_default();
        Row { file, line, index: self.index, result }
    }

    fn convert(&mut self, line: u64, kind: &str, record: &Object) -> Option<Result<Record, Vec<Fault>>> {
        let mut draft = Draft::new(&self.options, &mut self.report);
        match self.converter.convert(kind, record, &mut draft) {
            Kind::User => {}
            Kind::Joined | Kind::LeftOut => return None,
            Kind::Unknown => {
                draft.omit("records that are not users");
                return None;
            }
        }
        let (record, mut faults) = draft.finish(record);
        if !record.email.is_empty() {
            let location = Location { file: u32::try_from(self.at).unwrap_or(u32::MAX), line };
            if let Some(earlier) = self.seen.insert(&record.email, location) {
                faults.push(Fault { field: "email", reason: self.duplicate(earlier) });
            }
        }
        Some(if faults.is_empty() { Ok(record) } else { Err(faults) })
    }

    fn duplicate(&self, earlier: Location) -> String {
        let file = self.files.get(earlier.file as usize).filter(|_| self.files.len() > 1);
        let file = file.map_or_else(String::new, |file| format!(" of {}", file.display()));
        format!("is also the address of the user on line {}{file}", earlier.line)
    }
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            if self.at >= self.files.len() {
                if !self.has_finished {
                    self.has_finished = true;
                    self.converter.finish(&mut self.report);
                }
                return None;
            }
            let next = match &mut self.entries {
                Some(entries) => entries.next(),
                None => match open(&*self.converter, &self.files[self.at], &self.options) {
                    Ok(entries) => self.entries.insert(entries).next(),
                    Err(error) => return Some(self.broken_file(1, error.to_string())),
                },
            };
            let Entry { line, kind, object } = match next {
                None => {
                    self.next_file();
                    continue;
                }
                Some(Ok(entry)) => entry,
                Some(Err(error)) => {
                    let reason = format!("{error}; the rest of the file was not read");
                    return Some(self.broken_file(0, reason));
                }
            };
            self.index += 1;
            let result = match object {
                Ok(record) => self.convert(line, kind, &record),
                Err(broken) => Some(Err(vec![Fault { field: "record", reason: reason(broken) }])),
            };
            if let Some(result) = result {
                return Some(self.row(line, result));
            }
        }
    }
}

fn reason(broken: Broken) -> String {
    match broken {
        Broken::TooLong => format!("has more than {} MiB", RECORD_BYTES_MAX / 1024 / 1024),
        Broken::Invalid(reason) => reason,
    }
}
