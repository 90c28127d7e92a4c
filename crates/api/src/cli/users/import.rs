//! `denizen users import`.

use anyhow::{Context, anyhow};
use clap::Args;
use denizen_domain::Ctx;
use denizen_domain::error::FieldError;
use denizen_domain::users::{self, ImportMode, ImportUser};
use serde::Serialize;
use tokio::io::{AsyncBufRead, BufReader};

use crate::cli::failure::{Failure, fields_line, printable};
use crate::cli::output::{Output, print, print_json_line};
use crate::cli::progress::Progress;
use crate::config::Limits;
use crate::import_line::parse_line;
use crate::lines::{Line, Lines};

/// How many lines are written in one transaction.
const BATCH: usize = 500;

/// What to import.
#[derive(Args)]
#[command(after_help = "\
Every line is a JSON object: email and name; and password_hash (Argon2, bcrypt, scrypt, PBKDF2 and more),
email_verified, role, status, locale, attributes, created_at where they are known. A line that is wrong is told by
its number and stops nothing; the exit code is then 1. A dry run does not notice an address that stands twice, 500
lines apart.

With --output json every refused line is one JSON object on standard output, and so is the summary after them.

Examples:
  denizen users import people.ndjson --dry-run
  zcat people.ndjson.gz | denizen users import -")]
pub(crate) struct ImportArgs {
    /// The file, or - for standard input.
    #[arg(value_name = "FILE")]
    file: String,
    /// Checks every line and keeps nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn import(ctx: &Ctx, args: &ImportArgs, limits: &Limits, output: Output) -> Result<(), Failure> {
    let (reader, total_bytes) = open(&args.file).await?;
    let mode = if args.dry_run { ImportMode::DryRun } else { ImportMode::Commit };
    let progress = Progress::of_bytes(total_bytes);
    let mut import = Import { ctx, mode, output, progress, batch: Vec::with_capacity(BATCH), created: 0, failed: 0 };
    let mut lines = Lines::new(reader, limits.import_line_bytes as usize);
    let outcome = import.run(&mut lines).await;
    import.progress.clear();
    // The summary also when it broke off: what was created before stays.
    import.summarise()?;
    outcome?;
    if import.failed > 0 {
        let lines = if import.failed == 1 { "1 line was".to_owned() } else { format!("{} lines were", import.failed) };
        return Err(anyhow!("{lines} refused").into());
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
        return Err(anyhow!("reading {file}: it is a directory").into());
    }
    let total_bytes = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(BufReader::with_capacity(64 * 1024, opened)), total_bytes))
}

struct Import<'a> {
    ctx: &'a Ctx,
    mode: ImportMode,
    output: Output,
    progress: Progress,
    /// Lines in order, also those that are refused already: they are told in order.
    batch: Vec<(u64, Result<ImportUser, Vec<FieldError>>)>,
    created: u64,
    failed: u64,
}

impl Import<'_> {
    async fn run(&mut self, lines: &mut Lines<Reader>) -> Result<(), Failure> {
        while let Some((number, line)) = lines.next().await.context("reading lines")? {
            let parsed = match line {
                Line::Whole(content) if content.trim_ascii().is_empty() => continue,
                Line::Whole(content) => parse_line(&content, self.ctx.services()),
                Line::TooLong => {
                    Err(vec![FieldError::new("line", "too_long", "must be within limits.import_line_bytes")])
                }
            };
            self.batch.push((number, parsed));
            if self.batch.len() == BATCH {
                self.flush().await?;
                self.progress.advance_to(lines.bytes_read(), format!("{} users", self.created));
            }
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let mut users = Vec::with_capacity(self.batch.len());
        let mut numbers = Vec::with_capacity(self.batch.len());
        for (number, parsed) in self.batch.drain(..) {
            match parsed {
                Ok(user) => {
                    users.push(user);
                    numbers.push((number, None));
                }
                Err(fields) => numbers.push((number, Some(fields))),
            }
        }
        if numbers.is_empty() {
            return Ok(());
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
            Output::Text if dry_run => print(&format!("would create {created}, would refuse {failed}\n")),
            Output::Text => print(&format!("created {created}, refused {failed}\n")),
        }
    }
}
