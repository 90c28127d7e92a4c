//! `denizen users import`.

use std::{io, mem};

use anyhow::{Context, anyhow};
use clap::Args;
use denizen_domain::error::FieldError;
use denizen_domain::users::{self, ImportMode, ImportUser};
use denizen_domain::{Ctx, Services};
use serde::Serialize;
use tokio::io::{AsyncBufRead, BufReader};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::cli::failure::{Failure, fields_line, printable};
use crate::cli::output::{Output, print, print_json_line};
use crate::cli::progress::Progress;
use crate::config::Limits;
use crate::import_line::parse_line;
use crate::lines::{Line, Lines};

/// How many lines are written in one transaction.
const BATCH: usize = 500;

/// The import.
#[derive(Args)]
#[command(after_help = "\
Every line is a JSON object with email and name, and optionally password_hash (Argon2, bcrypt, scrypt, PBKDF2 and
others), email_verified, role, status, locale, attributes, app_attributes and created_at. An invalid line is reported with its number
and does not stop the import; the exit code is then 1. A dry run does not detect an address that occurs twice more
than 500 lines apart.

With --output json, every rejected line is one JSON object on standard output, followed by the summary.

Examples:
  denizen users import people.ndjson --dry-run
  zcat people.ndjson.gz | denizen users import -")]
pub(crate) struct ImportArgs {
    /// The file, or - for standard input.
    #[arg(value_name = "FILE")]
    file: String,
    /// Validates all lines without saving anything.
    #[arg(long)]
    dry_run: bool,
}

impl ImportArgs {
    /// Whether nothing is changed.
    pub(super) fn is_dry_run(&self) -> bool {
        self.dry_run
    }
}

pub(super) async fn import(ctx: &Ctx, args: &ImportArgs, limits: &Limits, output: Output) -> Result<(), Failure> {
    let (reader, total_bytes) = open(&args.file).await?;
    let mode = if args.dry_run { ImportMode::DryRun } else { ImportMode::Commit };
    let progress = Progress::of_bytes(total_bytes);
    let mut import = Import { ctx, mode, output, progress, created: 0, failed: 0 };
    let mut lines = Lines::new(reader, limits.import_line_bytes as usize);
    let outcome = import.run(&mut lines).await;
    import.progress.clear();
    // The summary also when it broke off: what was created before stays.
    import.summarise()?;
    outcome?;
    if import.failed > 0 {
        let lines = if import.failed == 1 { "1 line was".to_owned() } else { format!("{} lines were", import.failed) };
        return Err(anyhow!("{lines} rejected").into());
    }
    Ok(())
}

#[derive(Serialize)]
struct LineBody<'a> {
    line: u64,
    fields: Vec<FieldBody<'a>>,
}

#[derive(Serialize)]
struct FieldBody<'a> {
    field: &'a str,
    code: &'static str,
    message: &'a str,
}

#[derive(Serialize)]
struct SummaryBody {
    created: u64,
    failed: u64,
    dry_run: bool,
}

type Reader = Box<dyn AsyncBufRead + Unpin + Send>;

async fn open(file: &str) -> Result<(Reader, Option<u64>), Failure> {
    if file == "-" {
        return Ok((Box::new(BufReader::new(tokio::io::stdin())), None));
    }
    let failed = || format!("reading {file}");
    let opened = tokio::fs::File::open(file).await.with_context(failed)?;
    let metadata = opened.metadata().await.with_context(failed)?;
    if metadata.is_dir() {
        return Err(anyhow!("reading {file}: is a directory").into());
    }
    let total_bytes = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(BufReader::with_capacity(64 * 1024, opened)), total_bytes))
}

/// Lines in order, including those already rejected: they are reported in order.
type Checked = Vec<(u64, Result<ImportUser, Vec<FieldError>>)>;

/// Reads lines until a batch is full or the input ends. Skips blank lines.
async fn read_batch(lines: &mut Lines<Reader>) -> io::Result<Vec<(u64, Line)>> {
    let mut batch = Vec::with_capacity(BATCH);
    while batch.len() < BATCH {
        match lines.next().await? {
            Some((_, Line::Whole(content))) if content.trim_ascii().is_empty() => {}
            Some(line) => batch.push(line),
            None => break,
        }
    }
    Ok(batch)
}

/// Checks lines.
fn check(batch: Vec<(u64, Line)>, services: &Services) -> Checked {
    let checked = batch.into_iter().map(|(number, line)| {
        let parsed = match line {
            Line::Whole(content) => parse_line(&content, services),
            Line::TooLong => Err(vec![FieldError::new("line", "too_long", "must be within limits.import_line_bytes")]),
        };
        (number, parsed)
    });
    checked.collect()
}

struct Import<'a> {
    ctx: &'a Ctx,
    mode: ImportMode,
    output: Output,
    progress: Progress,
    created: u64,
    failed: u64,
}

impl Import<'_> {
    /// While one batch is written, another thread checks the next one.
    async fn run(&mut self, lines: &mut Lines<Reader>) -> Result<(), Failure> {
        let mut checking: Option<JoinHandle<Checked>> = None;
        loop {
            let read = read_batch(lines).await;
            let (next, end) = match read {
                Ok(batch) if batch.is_empty() => (None, Some(Ok(()))),
                Ok(batch) => {
                    let services = self.ctx.shared_services();
                    (Some(spawn_blocking(move || check(batch, &services))), None)
                }
                Err(error) => (None, Some(Err(error))),
            };
            if let Some(checked) = mem::replace(&mut checking, next) {
                self.write(checked.await.context("checking lines")?).await?;
                self.progress.advance_to(lines.bytes_read(), format!("{} users", self.created));
            }
            if let Some(end) = end {
                return Ok(end.context("reading lines")?);
            }
        }
    }

    async fn write(&mut self, lines: Checked) -> Result<(), Failure> {
        let mut users = Vec::with_capacity(lines.len());
        let mut numbers = Vec::with_capacity(lines.len());
        for (number, parsed) in lines {
            match parsed {
                Ok(user) => {
                    users.push(user);
                    numbers.push((number, None));
                }
                Err(fields) => numbers.push((number, Some(fields))),
            }
        }
        // A batch of nothing but refused lines needs no transaction.
        let outcomes = if users.is_empty() { Vec::new() } else { users::import(self.ctx, users, self.mode).await? };
        let mut outcomes = outcomes.into_iter();
        for (number, refused) in numbers {
            let refused = refused.or_else(|| Some(vec![outcomes.next()?.fault()?]));
            match refused {
                None => self.created += 1,
                Some(fields) => self.refuse(number, &fields)?,
            }
        }
        Ok(())
    }

    fn refuse(&mut self, line: u64, fields: &[FieldError]) -> Result<(), Failure> {
        self.failed += 1;
        match self.output {
            Output::Text => self.progress.say(&printable(&format!("line {line}: {}", fields_line(fields)))),
            Output::Json => {
                let fields = fields.iter();
                let fields = fields.map(|at| FieldBody { field: &at.field, code: at.code, message: &at.message });
                print_json_line(&LineBody { line, fields: fields.collect() })?;
            }
        }
        Ok(())
    }

    fn summarise(&self) -> Result<(), Failure> {
        let Self { created, failed, .. } = self;
        let dry_run = self.mode == ImportMode::DryRun;
        match self.output {
            Output::Json => print_json_line(&SummaryBody { created: *created, failed: *failed, dry_run }),
            Output::Text if dry_run => print(&format!("would create {created}, would reject {failed}\n")),
            Output::Text => print(&format!("created {created}, rejected {failed}\n")),
        }
    }
}
