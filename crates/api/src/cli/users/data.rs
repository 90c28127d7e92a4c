//! `denizen users data`.

use std::io::Write;

use clap::Args;
use denizen_domain::Ctx;

use crate::cli::failure::Failure;
use crate::cli::wanted::Wanted;
use crate::cli::whole_file::write_whole;
use crate::http::user_data::Document;

/// The user, and the output file.
#[derive(Args)]
#[command(after_help = "\
One JSON document with the user, factors, sessions, passkeys, identities, API keys and events, without secrets. The file
is created when the document is complete, readable only by its owner.

Examples:
  denizen users data ada@example.com ada.json
  denizen users data ada@example.com -")]
pub(crate) struct DataArgs {
    #[command(flatten)]
    wanted: Wanted,
    /// The file, or - for standard output.
    #[arg(value_name = "FILE", default_value = "-")]
    file: String,
}

pub(super) async fn data(ctx: &Ctx, args: &DataArgs) -> Result<(), Failure> {
    let user = args.wanted.find(ctx).await?;
    write_whole(&args.file, "users", async |writer: &mut dyn Write| {
        let mut document = Document::begin(ctx, user.id).await?;
        while let Some(part) = document.take(ctx.services().vault.as_ref()) {
            writer.write_all(&part)?;
            document.read(ctx).await?;
        }
        writer.flush()?;
        Ok(1)
    })
    .await
}
