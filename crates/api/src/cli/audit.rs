//! `denizen audit`: verification and export of the audit log.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;

use clap::{Args, Subcommand};
use denizen_domain::Ctx;
use denizen_domain::audit::verify::KNOWN_MAX;
use denizen_domain::audit::{self, AuditFilter, KnownHead, RawFilter, Report};
use denizen_domain::error::FieldError;
use serde::Serialize;

use super::Globals;
use super::failure::{Failure, fields_line};
use super::operator::{self, Access};
use super::output::{Output, print, print_json};
use super::progress::Progress;
use super::whole_file::write_whole;
use crate::audit_heads::{HeadSigner, is_signed, read_file};
use crate::http::audit::export::{Format, page_after};
use crate::http::audit::head::HeadBody;

/// What a verification without a fault proves.
const PROVEN: &str = "\
proven: no record between the beginning and the head was changed, removed, inserted or moved without the master key
not proven without a stored head (--known, --known-file): that no later records were truncated, and that the log was not
rewritten with the master key; a stored head proves both up to its record
";

const HEAD_HELP: &str = "\
The head is signed (JWS, EdDSA) with a key derived from the root key; --output json prints the public key. The server
also exports it (audit.head_interval_s, audit.head_file) and returns it at GET /api/v1/audit/head.

Examples:
  denizen audit head >> heads.txt
  denizen audit head --output json";

const RESEAL_HELP: &str = "\
During a rolling upgrade, nodes of the previous release write records without a keyed hash and remove old records
without a seal; `denizen audit verify` then reports `unkeyed` or `unsealed_floor`. Run this command once, after the
last node of the previous release has stopped. It verifies the log, accepts those records and seals the log.

Example:
  denizen audit reseal";

/// Subcommands of `audit`.
#[derive(Subcommand)]
#[command(after_help = "\
Every change is a record in one log with consecutive numbers. Each record contains a MAC of itself and the previous
record, with a key derived from the root key.

Examples:
  denizen audit verify
  denizen audit verify --known-file heads.txt
  denizen audit head >> heads.txt
  denizen audit export audit.csv --format csv --from 2026-11-01T00:00:00Z")]
pub(super) enum AuditCommand {
    /// Verifies the hash chain of all records; exit code 0 if it is intact, else 1.
    Verify(VerifyArgs),
    /// Prints the signed head of the log; store it outside the database.
    #[command(after_help = HEAD_HELP)]
    Head,
    /// Accepts records that a previous release wrote without a keyed hash during an upgrade.
    #[command(after_help = RESEAL_HELP)]
    Reseal,
    /// Exports the records, oldest first.
    Export(ExportArgs),
}

/// Heads to verify against.
#[derive(Args)]
#[command(after_help = "\
Proves that no record between the beginning and the end of the log was changed, removed, inserted or moved without the
master key. It proves neither that the end was not cut off, nor that the log was not rewritten with the master key.
Stored heads prove both up to their records: pass them with --known or --known-file.

Examples:
  denizen audit verify
  denizen audit verify --output json
  curl -H \"Authorization: Bearer $TOKEN\" https://id.example.com/api/v1/audit/head >> heads.json
  denizen audit verify --known-file heads.json
  denizen audit verify --known 1200:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
pub(super) struct VerifyArgs {
    /// A stored head, signed or as POSITION:HASH. Can be repeated.
    #[arg(long, value_name = "HEAD")]
    known: Vec<String>,
    /// A file with one head per line, or with responses of GET /api/v1/audit/head; the last 10,000 are checked.
    #[arg(long, value_name = "FILE")]
    known_file: Option<PathBuf>,
}

/// Filters and output file.
#[derive(Args)]
#[command(after_help = "\
The file is created when the export is complete, readable only by its owner. In CSV, cells that a spreadsheet would
interpret as a formula are prefixed with an apostrophe.

Examples:
  denizen audit export audit.ndjson
  denizen audit export --format csv --types 'session.*' --from 2026-11-01T00:00:00Z > sessions.csv")]
pub(super) struct ExportArgs {
    /// The output file. Default: standard output (-).
    #[arg(value_name = "FILE", default_value = "-", hide_default_value = true)]
    file: String,
    /// The output format.
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Returns only records of this actor: the id of a user or service account.
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// Only records about this resource: the id of a user, service account, role or signing key.
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Comma-separated event types. A trailing `*` matches a prefix: `session.*`.
    #[arg(long, value_name = "TYPES")]
    types: Option<String>,
    /// Lower bound of the time range, inclusive (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Upper bound of the time range, exclusive.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

pub(super) async fn run(globals: &Globals, command: AuditCommand) -> Result<(), Failure> {
    let config = globals.config()?;
    // What is wrong with the arguments is told before a database is opened.
    match command {
        AuditCommand::Verify(args) => {
            let known = known_heads(&args)?;
            let ctx = operator::open(globals, &config, Access::Read).await?;
            let outcome = match open_heads(&ctx, &known) {
                Ok(known) => verify(&ctx, known, globals.output).await,
                Err(failure) => Err(failure),
            };
            ctx.store().close().await;
            outcome
        }
        AuditCommand::Head => {
            let ctx = operator::open(globals, &config, Access::Read).await?;
            let outcome = head(&ctx, globals.output).await;
            ctx.store().close().await;
            outcome
        }
        AuditCommand::Reseal => {
            let ctx = operator::open(globals, &config, Access::Change).await?;
            let outcome = reseal(&ctx, globals.output).await;
            ctx.store().close().await;
            outcome
        }
        AuditCommand::Export(args) => {
            let filter = args.filter().map_err(|faults| Failure::Usage(fields_line(&faults)))?;
            let ctx = operator::open(globals, &config, Access::Read).await?;
            let write = async |writer: &mut dyn Write| write_records(&ctx, &filter, args.format, writer).await;
            let outcome = write_whole(&args.file, "records", write).await;
            ctx.store().close().await;
            outcome
        }
    }
}

/// The heads to verify against, each with the argument it came from. Unsigned heads are parsed here.
fn known_heads(args: &VerifyArgs) -> Result<Vec<(&'static str, String)>, Failure> {
    let mut heads: Vec<_> = args.known.iter().map(|raw| ("--known", raw.trim().to_owned())).collect();
    if let Some(file) = &args.known_file {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let stored = read_file("--known-file", text.trim_start_matches('\u{FEFF}'))
            .map_err(|fault| Failure::Usage(fields_line(&[fault])))?;
        if stored.is_empty() {
            // It would prove nothing while it looks as if it did.
            let fault = FieldError::new("--known-file", "empty", "must contain at least one head");
            return Err(Failure::Usage(fields_line(&[fault])));
        }
        let room = KNOWN_MAX.saturating_sub(heads.len());
        heads.extend(stored.into_iter().rev().take(room).map(|head| ("--known-file", head)));
    }
    for (argument, raw) in heads.iter().filter(|(_, raw)| !is_signed(raw)) {
        KnownHead::parse(argument, raw).map_err(|fault| Failure::Usage(fields_line(&[fault])))?;
    }
    Ok(heads)
}

/// The same heads, with verified signatures.
fn open_heads(ctx: &Ctx, heads: &[(&'static str, String)]) -> Result<Vec<KnownHead>, Failure> {
    let signer = HeadSigner::derive(ctx.services().vault.as_ref());
    let heads: Result<Vec<_>, _> = heads.iter().map(|(argument, raw)| signer.read(argument, raw)).collect();
    heads.map_err(|fault| Failure::Usage(fields_line(&[fault])))
}

async fn head(ctx: &Ctx, output: Output) -> Result<(), Failure> {
    let head = audit::head(ctx).await?;
    let signer = HeadSigner::derive(ctx.services().vault.as_ref());
    match output {
        Output::Text => print(&format!("{}\n", signer.sign(&head))),
        Output::Json => print_json(&HeadBody::new(&signer, &head)),
    }
}

async fn reseal(ctx: &Ctx, output: Output) -> Result<(), Failure> {
    let progress = Progress::of("records");
    let report = audit::reseal(ctx, &mut |done, total| {
        progress.set_total(total.max(0).cast_unsigned());
        progress.advance_to(done.max(0).cast_unsigned(), String::new());
    })
    .await?;
    progress.clear();
    if let Some(fault) = report.fault {
        return Err(Failure::Failed(anyhow::Error::msg(format!("the log is not intact: {fault}"))));
    }
    match output {
        Output::Json => print_json(&ReportBody::from(report)),
        Output::Text => print(&format!(
            "accepted {} records, {} of them without a keyed hash; all records from {} on must be keyed\n",
            report.checked,
            report.unkeyed,
            report.head.position + 1
        )),
    }
}

/// The result of a verification, as JSON.
#[derive(Serialize)]
struct ReportBody {
    is_whole: bool,
    floor: i64,
    head: String,
    keyed_from: i64,
    checked: u64,
    unkeyed: u64,
    forgotten: Vec<String>,
    fault: Option<FaultBody>,
}

/// A fault, as JSON.
#[derive(Serialize)]
struct FaultBody {
    position: i64,
    code: &'static str,
    message: String,
}

async fn verify(ctx: &Ctx, known: Vec<KnownHead>, output: Output) -> Result<(), Failure> {
    let progress = Progress::of("records");
    let report = audit::verify(ctx, known, &mut |done, total| {
        progress.set_total(total.max(0).cast_unsigned());
        progress.advance_to(done.max(0).cast_unsigned(), String::new());
    })
    .await?;
    progress.clear();
    let fault = report.fault;
    match (output, fault) {
        (Output::Json, _) => print_json(&ReportBody::from(report))?,
        (Output::Text, None) => print(&text(&report))?,
        (Output::Text, Some(_)) => {}
    }
    match fault {
        None => Ok(()),
        Some(fault) => Err(Failure::Failed(anyhow::Error::msg(format!("the log is not intact: {fault}")))),
    }
}

fn text(report: &Report) -> String {
    let forgotten =
        report.forgotten.iter().map(|head| format!("{head} is past the retention period and was not checked\n"));
    let removed = match report.floor {
        0 => String::new(),
        floor => format!("records 1 to {floor} are past the retention period and were removed\n"),
    };
    let unkeyed = match report.unkeyed {
        0 => String::new(),
        count => format!("{count} records before record {} have no keyed hash\n", report.keyed_from),
    };
    let forgotten: String = forgotten.collect();
    let (checked, head) = (report.checked, report.head);
    format!("the log is intact: {checked} records checked\n{removed}{unkeyed}{forgotten}{PROVEN}head {head}\n")
}

impl From<Report> for ReportBody {
    fn from(report: Report) -> Self {
        let fault = report.fault.map(|fault| FaultBody {
            position: fault.position(),
            code: fault.code(),
            message: fault.to_string(),
        });
        Self {
            is_whole: fault.is_none(),
            floor: report.floor,
            head: report.head.to_string(),
            keyed_from: report.keyed_from,
            checked: report.checked,
            unkeyed: report.unkeyed,
            forgotten: report.forgotten.iter().map(ToString::to_string).collect(),
            fault,
        }
    }
}

impl ExportArgs {
    fn filter(&self) -> Result<AuditFilter, Vec<denizen_domain::error::FieldError>> {
        AuditFilter::parse(RawFilter {
            actor: self.actor.as_deref(),
            subject: self.subject.as_deref(),
            types: self.types.as_deref(),
            from: self.from.as_deref(),
            until: self.until.as_deref(),
        })
    }
}

async fn write_records(
    ctx: &Ctx,
    filter: &AuditFilter,
    format: Format,
    writer: &mut dyn Write,
) -> Result<u64, Failure> {
    let progress = Progress::of("records");
    let vault = ctx.services().vault.as_ref();
    writer.write_all(format.head().as_bytes())?;
    let (mut count, mut after) = (0, None);
    loop {
        let page = page_after(ctx, filter, after).await?;
        for event in page.events {
            writer.write_all(format.line(vault, event).as_bytes())?;
            count += 1;
        }
        progress.advance_to(count, String::new());
        if !page.has_more {
            break;
        }
        after = Some(page.read_to);
    }
    writer.flush()?;
    Ok(count)
}
