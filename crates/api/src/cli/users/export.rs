//! `denizen users export`.

use std::io::{self, Write};

use anyhow::Context;
use clap::Args;
use denizen_domain::Ctx;
use denizen_domain::page::{PAGE_MAX, Page, Start, Total};
use denizen_domain::users::{self, UserFilter};

use crate::cli::failure::Failure;
use crate::cli::progress::Progress;
use crate::cli::whole_file::write_whole;
use crate::encrypted_file::{EncryptingWriter, EncryptionArgs, Recipients};
use crate::export_line::{ExportLine, HeaderLine};
use crate::http::body::UserBody;

/// The output file.
#[derive(Args)]
#[command(after_help = "\
One user per line, in a format that `denizen users import` reads; without --with-credentials, in that of the REST API.
The file is created when the export is complete, readable only by its owner. With credentials, it must be encrypted,
in the age format (https://age-encryption.org), unless --plaintext is given; the event users.exported is recorded.

Examples:
  denizen users export people.ndjson
  denizen users export - | gzip > people.ndjson.gz
  denizen users export people.age --with-credentials --recipient age1…
  denizen users export people.age --with-credentials --passphrase")]
pub(crate) struct ExportArgs {
    /// The file, or - for standard output.
    #[arg(value_name = "FILE")]
    file: String,
    /// Includes password hashes, TOTP secrets, recovery codes, passkeys, identities at providers and API keys.
    #[arg(long)]
    with_credentials: bool,
    /// Writes credentials without encryption.
    #[arg(long, requires = "with_credentials", conflicts_with_all = ["recipient", "passphrase_file", "passphrase"])]
    plaintext: bool,
    #[command(flatten)]
    encryption: EncryptionArgs,
}

impl ExportArgs {
    /// Whether the export records an event, and therefore writes to the database.
    pub(super) fn is_recorded(&self) -> bool {
        self.with_credentials
    }

    /// Checks that need only the arguments.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.with_credentials && !self.plaintext && !self.encryption.is_given() {
            return Err(Failure::Usage(
                "an export with credentials must be encrypted: use --recipient, --passphrase-file or --passphrase, or \
                 --plaintext"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

pub(super) async fn export(ctx: &Ctx, args: &ExportArgs) -> Result<(), Failure> {
    let recipients = args.encryption.recipients().context("encrypting the export")?;
    if args.plaintext {
        writeln!(io::stderr(), "warning: the file is not encrypted; anyone who can read it can sign in as every user")?;
    }
    let write = async |writer: &mut dyn Write| match &recipients {
        Some(recipients) => write_encrypted(ctx, args, writer, recipients).await,
        None => write_users(ctx, args, writer).await,
    };
    write_whole(&args.file, "users", write).await
}

async fn write_encrypted(
    ctx: &Ctx,
    args: &ExportArgs,
    writer: &mut dyn Write,
    recipients: &Recipients,
) -> Result<u64, Failure> {
    let mut writer = EncryptingWriter::new(writer, recipients).context("encrypting the export")?;
    let count = write_users(ctx, args, &mut writer).await?;
    writer.finish()?.flush()?;
    Ok(count)
}

async fn write_users(ctx: &Ctx, args: &ExportArgs, writer: &mut dyn Write) -> Result<u64, Failure> {
    let count =
        if args.with_credentials { write_credentials(ctx, writer).await? } else { write_profiles(ctx, writer).await? };
    writer.flush()?;
    Ok(count)
}

/// Writes a consistent snapshot of all users with their credentials.
async fn write_credentials(ctx: &Ctx, writer: &mut dyn Write) -> Result<u64, Failure> {
    let progress = Progress::of("users");
    if progress.is_visible() {
        let page = Page { limit: 1, start: Start::Offset(0) };
        let listed = users::list(ctx, &UserFilter::default(), page, Total::Count).await?;
        if let Some(total) = listed.total {
            progress.set_total(total.value());
        }
    }
    let mut export = users::export_credentials(ctx).await?;
    write_line(writer, &HeaderLine::new(&export.roots))?;
    let mut count = 0;
    loop {
        let users = export.next().await?;
        if users.is_empty() {
            return Ok(count);
        }
        count += users.len() as u64;
        for user in users {
            write_line(writer, &ExportLine::new(user, ctx.services().vault.as_ref()))?;
        }
        progress.advance_counting(count, count, "users");
    }
}

async fn write_profiles(ctx: &Ctx, writer: &mut dyn Write) -> Result<u64, Failure> {
    let progress = Progress::of("users");
    let filter = UserFilter::default();
    let mut page = Page { limit: PAGE_MAX, start: Start::Offset(0) };
    // Counting reads all users once more: only do it if the progress bar is visible.
    let mut total = if progress.is_visible() { Total::Count } else { Total::Skip };
    let mut count = 0;
    loop {
        let listed = users::list(ctx, &filter, page, total).await?;
        if let Some(total) = listed.total {
            progress.set_total(total.value());
        }
        total = Total::Skip;
        for user in listed.items {
            write_line(writer, &UserBody::from(user))?;
            count += 1;
        }
        progress.advance_counting(count, count, "users");
        match listed.next {
            Some(position) => page.start = Start::After(position),
            None => return Ok(count),
        }
    }
}

fn write_line(writer: &mut dyn Write, line: &impl serde::Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(line).map_err(anyhow::Error::from)?;
    Ok(writeln!(writer, "{line}")?)
}
