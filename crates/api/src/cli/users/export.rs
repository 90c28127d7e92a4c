//! `denizen users export`.

use std::io::Write;

use clap::Args;
use denizen_domain::Ctx;
use denizen_domain::page::{PAGE_MAX, Page, Start, Total};
use denizen_domain::users::{self, UserFilter};

use crate::cli::failure::Failure;
use crate::cli::progress::Progress;
use crate::cli::whole_file::write_whole;
use crate::http::body::UserBody;

/// The output file.
#[derive(Args)]
#[command(after_help = "\
One user per line, in the format of the REST API, without credentials. The file is created when the export is
complete, readable only by its owner.

Examples:
  denizen users export people.ndjson
  denizen users export - | gzip > people.ndjson.gz")]
pub(crate) struct ExportArgs {
    /// The file, or - for standard output.
    #[arg(value_name = "FILE")]
    file: String,
}

pub(super) async fn export(ctx: &Ctx, args: &ExportArgs) -> Result<(), Failure> {
    write_whole(&args.file, "users", async |writer| write_users(ctx, writer).await).await
}

async fn write_users(ctx: &Ctx, writer: &mut dyn Write) -> Result<u64, Failure> {
    let progress = Progress::of("users");
    let filter = UserFilter::default();
    let mut page = Page { limit: PAGE_MAX, start: Start::Offset(0) };
    // Counting reads everything once more: only where somebody sees the bar.
    let mut total = if progress.is_visible() { Total::Count } else { Total::Skip };
    let mut count = 0;
    loop {
        let listed = users::list(ctx, &filter, page, total).await?;
        if let Some(total) = listed.total {
            progress.set_total(total.value());
        }
        total = Total::Skip;
        for user in listed.items {
            let line = serde_json::to_string(&UserBody::from(user)).map_err(anyhow::Error::from)?;
            writeln!(writer, "{line}")?;
            count += 1;
        }
        progress.advance_to(count, String::new());
        match listed.next {
            Some(position) => page.start = Start::After(position),
            None => break,
        }
    }
    writer.flush()?;
    Ok(count)
}
