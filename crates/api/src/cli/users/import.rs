//! `denizen users import`.

use anyhow::{Context, anyhow};
use clap::Args;
use denizen_domain::Ctx;
use denizen_domain::error::FieldError;
use denizen_domain::users::{
    self, ImportIds, ImportMode, ImportOptions, ImportOutcome, ImportUser, ImportedLine, OnConflict,
};
use denizen_infra::clock::SystemChance;
use denizen_infra::root::adopt_root;
use denizen_infra::stores::StoreOptions;

use super::from::FromArgs;
use crate::app::master_key;
use crate::cli::Globals;
use crate::cli::failure::Failure;
use crate::cli::operator::{self, Access};
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::config::Config;
use crate::encrypted_file::DecryptionArgs;

mod checking;
mod errors_file;
mod report;
pub(super) mod source;

use checking::{CheckedLine, Checking};
use errors_file::ErrorsFile;
use report::Report;
use source::Input;

/// The import.
#[derive(Args)]
#[command(after_help = "\
Every line is a JSON object with email and name, and optionally password_hash (Argon2, bcrypt, scrypt, PBKDF2 and
others), email_verified, role, status, locale, attributes, app_attributes, created_at, and every other field of `users export`,
including credentials. A file that `users export` encrypted is decrypted. An invalid line is reported with its number
and does not stop the import; the exit code is then 1. A dry run does not detect an address that occurs twice more
than 500 lines apart.

After an interruption, run the same command again with --on-conflict skip: users that were imported are skipped.

With --from, the files are those that another system exports, and the report counts what cannot be carried over.

With --output json, every rejected line is one JSON object on standard output, followed by the summary.

Examples:
  denizen users import people.ndjson --dry-run
  denizen users import people.ndjson --errors rejected.ndjson
  denizen users import --from auth0 users.ndjson hashes.ndjson --role-map admins=admin
  denizen users import --from firebase users.json --firebase-hash-config parameters.txt
  denizen users import export.age --identity-file key.txt --keep-ids --on-conflict skip
  zcat people.ndjson.gz | denizen users import -")]
pub(crate) struct ImportArgs {
    /// The file, or - for standard input.
    #[arg(value_name = "FILE")]
    file: String,
    /// Validates all lines without saving anything.
    #[arg(long)]
    dry_run: bool,
    /// What happens to a line whose id, address or identity is that of an existing user: refuse reports the line as an
    /// error, skip leaves the user unchanged, update replaces the profile and the given credentials, fail stops the
    /// import without writing the current batch of 500 lines.
    #[arg(long, value_name = "refuse|skip|update|fail", default_value = "refuse", value_parser = parse_on_conflict)]
    on_conflict: OnConflict,
    /// Keeps the ids of the lines. By default, every user gets a new id.
    #[arg(long)]
    keep_ids: bool,
    /// Writes rejected lines to a file, and their faults to FILE.faults. The file can be corrected and imported.
    #[arg(long, value_name = "FILE")]
    errors: Option<String>,
    #[command(flatten)]
    decryption: DecryptionArgs,
    #[command(flatten)]
    from: FromArgs,
}

impl ImportArgs {
    /// How it accesses the database.
    pub(super) fn access(&self) -> Access {
        if self.dry_run { Access::Read } else { Access::Create }
    }

    fn options(&self) -> ImportOptions {
        ImportOptions {
            mode: if self.dry_run { ImportMode::DryRun } else { ImportMode::Commit },
            on_conflict: self.on_conflict,
            ids: if self.keep_ids { ImportIds::Keep } else { ImportIds::New },
        }
    }
}

/// Opens the input and the database, and imports.
pub(super) async fn run(globals: &Globals, config: &Config, args: &ImportArgs) -> Result<(), Failure> {
    let options = operator::require_schema(globals, config, args.access()).await?;
    let input = prepare(args, config, &options).await?;
    let ctx = operator::open_checked(config, args.access()).await?;
    let outcome = import(&ctx, args, input, globals.output).await;
    ctx.store().close().await;
    outcome
}

/// Opens the input. Stores the root key of an export if the database has none and the configured master key decrypts it.
async fn prepare(args: &ImportArgs, config: &Config, options: &StoreOptions) -> Result<Input, Failure> {
    let input = match args.from.open(&args.file)? {
        Some(input) => input,
        None => source::open(&args.file, &args.decryption, config.limits.import_line_bytes as usize)?,
    };
    if !args.dry_run && !input.roots.is_empty() {
        let store = options.open().context("opening the database")?;
        let master = master_key(&config.security, store.as_ref(), &SystemChance).await?;
        let adopted = adopt_root(store.as_ref(), &master, &input.roots).await;
        store.close().await;
        adopted.context("storing the root key")?;
    }
    Ok(input)
}

async fn import(ctx: &Ctx, args: &ImportArgs, input: Input, output: Output) -> Result<(), Failure> {
    let inputs = || std::iter::once(args.file.as_str()).chain(args.from.further());
    let errors = args.errors.as_deref().map(|errors| ErrorsFile::create(errors, inputs())).transpose()?;
    let options = args.options();
    let report = Report::new(output, options.mode, Progress::of_bytes(input.total_bytes), errors);
    let report = report.with_source(input.not_carried);
    let checking = Checking::start(input.source, ctx.shared_services())?;
    let mut import = Import { ctx, options, report };
    let outcome = import.run(checking).await;
    // Print the summary even if the import was interrupted: saved batches remain.
    import.report.finish()?;
    outcome?;
    match import.report.rejected() {
        0 => Ok(()),
        1 => Err(anyhow!("1 line was rejected").into()),
        lines => Err(anyhow!("{lines} lines were rejected").into()),
    }
}

struct Import<'a> {
    ctx: &'a Ctx,
    options: ImportOptions,
    report: Report,
}

impl Import<'_> {
    /// While one batch is written, another thread reads and checks the next ones.
    async fn run(&mut self, mut checking: Checking) -> Result<(), Failure> {
        while let Some(batch) = checking.next().await {
            let batch = batch.context("reading lines")?;
            let position = batch.position;
            self.write(batch.lines).await?;
            self.report.advance_to(position)?;
        }
        Ok(())
    }

    async fn write(&mut self, lines: Vec<CheckedLine>) -> Result<(), Failure> {
        let mut valid: Vec<ImportUser> = Vec::with_capacity(lines.len());
        let mut results: Vec<(CheckedLine, Option<Vec<FieldError>>)> = Vec::with_capacity(lines.len());
        for mut line in lines {
            match line.take_parsed() {
                Ok(user) => {
                    valid.push(user);
                    results.push((line, None));
                }
                Err(faults) => results.push((line, Some(faults))),
            }
        }
        // A batch with rejected lines only needs no transaction.
        let imported = if valid.is_empty() { Vec::new() } else { users::import(self.ctx, valid, self.options).await? };
        let mut imported = imported.into_iter();
        let mut stopped = None;
        for (line, faults) in results {
            if let Some(faults) = faults {
                self.report.rejected_line(&line, &faults)?;
                continue;
            }
            let Some(ImportedLine { outcome, not_carried }) = imported.next() else { continue };
            match outcome {
                ImportOutcome::Created(_) => self.report.created(not_carried),
                ImportOutcome::Updated(_) => self.report.updated(not_carried),
                ImportOutcome::Skipped => self.report.skipped(),
                ImportOutcome::Refused(faults) => self.report.rejected_line(&line, &faults)?,
                ImportOutcome::Stopped(fault) => {
                    self.report.rejected_line(&line, &[fault])?;
                    stopped = Some(line.number);
                }
                ImportOutcome::NotReached => {}
            }
        }
        match stopped {
            None => Ok(()),
            Some(line) => Err(anyhow!(
                "stopped at line {line}: its user exists. The batch with this line was not saved. Continue with \
                 --on-conflict skip or update"
            )
            .into()),
        }
    }
}

fn parse_on_conflict(raw: &str) -> Result<OnConflict, &'static str> {
    OnConflict::parse(raw).ok_or(OnConflict::EXPECTED)
}
