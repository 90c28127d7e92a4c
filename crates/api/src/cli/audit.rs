//! `denizen audit`: the log of what happened, checked and exported.

use std::io::Write;

use clap::{Args, Subcommand};
use denizen_domain::Ctx;
use denizen_domain::audit::{self, AuditFilter, KnownHead, RawFilter, Report};
use serde::Serialize;

use super::failure::{Failure, fields_line};
use super::output::{Output, print, print_json};
use super::progress::Progress;
use super::whole_file::write_whole;
use super::{Globals, operator};
use crate::http::audit::export::{Format, page_after};

/// What to do with the log.
#[derive(Subcommand)]
#[command(after_help = "\
Every change is a record in one log, numbered without a gap; each carries a hash over itself and the one before.

Examples:
  denizen audit verify
  denizen audit verify --known 1200:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  denizen audit export audit.csv --format csv --from 2026-11-01T00:00:00Z")]
pub(super) enum AuditCommand {
    /// Checks every record; exit code 0 when nothing is wrong, else 1.
    Verify(VerifyArgs),
    /// Writes the records, oldest first.
    Export(ExportArgs),
}

/// What to check against.
#[derive(Args)]
#[command(after_help = "\
It finds a record that was changed, removed, put in or moved, and tells the first. Whoever can write the whole
database can make a whole new log: keep the head that it prints where they cannot write, and give it back with
--known the next time.

Examples:
  denizen audit verify
  denizen audit verify --output json
  denizen audit verify --known 1200:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
pub(super) struct VerifyArgs {
    /// A head that an earlier check printed; may be repeated.
    #[arg(long, value_name = "POSITION:HASH")]
    known: Vec<String>,
}

/// Which records, and where to.
#[derive(Args)]
#[command(after_help = "\
The file appears once it is whole, readable by its owner alone. In CSV, a cell that a spreadsheet would take for a
formula has an apostrophe before it.

Examples:
  denizen audit export audit.ndjson
  denizen audit export --format csv --types 'session.*' --from 2026-11-01T00:00:00Z > sessions.csv")]
pub(super) struct ExportArgs {
    /// The file; standard output when it is - or nothing is said.
    #[arg(value_name = "FILE", default_value = "-", hide_default_value = true)]
    file: String,
    /// The form.
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Only what this user or service account did.
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// Only what concerns this.
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Only these types, between commas; `session.*` is every type that begins so.
    #[arg(long, value_name = "TYPES")]
    types: Option<String>,
    /// From this moment on, as RFC 3339 writes it.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this moment.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

pub(super) async fn run(globals: &Globals, command: AuditCommand) -> Result<(), Failure> {
    let config = globals.config()?;
    // What is wrong with the arguments is told before a database is opened.
    match command {
        AuditCommand::Verify(args) => {
            let known: Result<Vec<_>, _> = args.known.iter().map(|raw| KnownHead::parse("--known", raw)).collect();
            let known = known.map_err(|fault| Failure::Usage(fields_line(&[fault])))?;
            let ctx = operator::open(&config).await?;
            let outcome = verify(&ctx, known, globals.output).await;
            ctx.store().close().await;
            outcome
        }
        AuditCommand::Export(args) => {
            let filter = args.filter().map_err(|faults| Failure::Usage(fields_line(&faults)))?;
            let ctx = operator::open(&config).await?;
            let write = async |writer: &mut dyn Write| write_records(&ctx, &filter, args.format, writer).await;
            let outcome = write_whole(&args.file, "records", write).await;
            ctx.store().close().await;
            outcome
        }
    }
}

/// What a check found, for programs.
#[derive(Serialize)]
struct ReportBody {
    is_whole: bool,
    floor: i64,
    head: String,
    checked: u64,
    forgotten: Vec<String>,
    fault: Option<FaultBody>,
}

/// What is wrong.
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
        Some(fault) => Err(Failure::Failed(anyhow::Error::msg(format!("the log is not whole: {fault}")))),
    }
}

fn text(report: &Report) -> String {
    let forgotten = report.forgotten.iter().map(|head| format!("{head} is no longer kept: not checked\n"));
    let removed = match report.floor {
        0 => String::new(),
        floor => format!("records 1 to {floor} are past their time and no longer kept\n"),
    };
    let forgotten: String = forgotten.collect();
    format!("the log is whole: {} records checked\n{removed}{forgotten}head {}\n", report.checked, report.head)
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
            checked: report.checked,
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
