//! Counts and prints the results of an import.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use denizen_domain::error::FieldError;
use denizen_domain::users::{ImportMode, NotCarried};
use serde::Serialize;

use super::checking::CheckedLine;
use super::errors_file::ErrorsFile;
use crate::cli::failure::{Failure, fields_line, printable};
use crate::cli::output::{Output, print, print_json_line};
use crate::cli::progress::Progress;
use crate::cli::users::from::NotCarriedCounts;
use crate::http::transfer::NotCarriedBody;

/// Counts lines, and prints the rejected ones.
pub(super) struct Report {
    output: Output,
    mode: ImportMode,
    progress: Progress,
    errors: Option<ErrorsFile>,
    created: u64,
    updated: u64,
    skipped: u64,
    rejected: u64,
    not_carried: NotCarried,
    /// Data in the files of another system that is not carried over.
    source: Option<NotCarriedCounts>,
}

#[derive(Serialize)]
struct LineBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    line: u64,
    fields: Vec<FieldBody<'a>>,
}

/// A field at fault.
#[derive(Serialize)]
pub(super) struct FieldBody<'a> {
    field: &'a str,
    code: &'static str,
    message: &'a str,
}

#[derive(Serialize)]
struct SummaryBody {
    created: u64,
    updated: u64,
    skipped: u64,
    failed: u64,
    dry_run: bool,
    not_carried: NotCarriedBody,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    not_carried_from_source: BTreeMap<String, u64>,
}

/// Fields at fault, to be serialized.
pub(super) fn fields_of(faults: &[FieldError]) -> Vec<FieldBody<'_>> {
    faults.iter().map(|at| FieldBody { field: &at.field, code: at.code, message: &at.message }).collect()
}

impl Report {
    pub(super) fn new(output: Output, mode: ImportMode, progress: Progress, errors: Option<ErrorsFile>) -> Self {
        let not_carried = NotCarried::default();
        Self {
            output,
            mode,
            progress,
            errors,
            created: 0,
            updated: 0,
            skipped: 0,
            rejected: 0,
            not_carried,
            source: None,
        }
    }

    /// Adds the counts of the files of another system to the summary.
    pub(super) fn with_source(mut self, source: Option<NotCarriedCounts>) -> Self {
        self.source = source;
        self
    }

    pub(super) fn created(&mut self, not_carried: NotCarried) {
        self.created += 1;
        self.not_carried += not_carried;
    }

    pub(super) fn updated(&mut self, not_carried: NotCarried) {
        self.updated += 1;
        self.not_carried += not_carried;
    }

    pub(super) fn skipped(&mut self) {
        self.skipped += 1;
    }

    /// How many lines were rejected.
    pub(super) fn rejected(&self) -> u64 {
        self.rejected
    }

    /// Prints a rejected line, and writes it to the file of errors.
    pub(super) fn rejected_line(&mut self, line: &CheckedLine, faults: &[FieldError]) -> Result<(), Failure> {
        self.rejected += 1;
        if let Some(errors) = &mut self.errors {
            errors.add(line.number, line.text.as_deref(), faults)?;
        }
        match self.output {
            Output::Text => {
                let file = line.file.as_ref().map_or_else(String::new, |file| format!("{file}: "));
                self.progress.say(&printable(&format!("{file}line {}: {}", line.number, fields_line(faults))));
            }
            Output::Json => {
                let file = line.file.as_deref();
                print_json_line(&LineBody { file, line: line.number, fields: fields_of(faults) })?;
            }
        }
        Ok(())
    }

    /// Advances the progress bar: a batch that ends at this position of the input is done.
    pub(super) fn advance_to(&mut self, position: u64) -> Result<(), Failure> {
        if let Some(errors) = &mut self.errors {
            errors.flush()?;
        }
        let done = self.created + self.updated + self.skipped;
        self.progress.advance_counting(position, done, "users");
        Ok(())
    }

    /// Prints the summary.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        self.progress.clear();
        if let Some(errors) = &mut self.errors {
            errors.flush()?;
        }
        let dry_run = self.mode == ImportMode::DryRun;
        match self.output {
            Output::Json => print_json_line(&SummaryBody {
                created: self.created,
                updated: self.updated,
                skipped: self.skipped,
                failed: self.rejected,
                dry_run,
                not_carried: self.not_carried.into(),
                not_carried_from_source: self.source_counts(),
            }),
            Output::Text => print(&self.text(dry_run)),
        }
    }

    fn source_counts(&self) -> BTreeMap<String, u64> {
        let counts = self.source.as_ref().and_then(|counts| counts.lock().ok());
        counts.map(|counts| counts.clone()).unwrap_or_default()
    }

    fn text(&self, dry_run: bool) -> String {
        let verbs = if dry_run {
            ["would create", "would update", "would skip", "would reject"]
        } else {
            ["created", "updated", "skipped", "rejected"]
        };
        let counts = [self.created, self.updated, self.skipped, self.rejected];
        let is_shown = |(at, count): (usize, u64)| at == 0 || at == 3 || count > 0;
        let parts = counts.into_iter().enumerate().filter(|&part| is_shown(part));
        let parts: Vec<_> = parts.map(|(at, count)| format!("{} {count}", verbs[at])).collect();
        let mut text = format!("{}\n", parts.join(", "));
        let reasons = [
            ("recovery codes", "of a server with another root key, or of a user with another id"),
            ("passkeys", "already registered"),
            ("identities", "no provider has their issuer"),
            ("API keys", "of a server with another root key, or already existing"),
        ];
        for ((_, count), (kind, reason)) in self.not_carried.kinds().into_iter().zip(reasons) {
            if count > 0 {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "not imported: {count} {kind} ({reason})");
            }
        }
        for (kind, count) in self.source_counts() {
            text.push_str(&printable(&format!("not carried over: {count} {kind}")));
            text.push('\n');
        }
        text
    }
}
