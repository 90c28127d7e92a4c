//! `denizen users export`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use denizen_domain::Ctx;
use denizen_domain::page::{PAGE_MAX, Page, Start, Total};
use denizen_domain::users::{self, UserFilter};

use super::progress::Progress;
use crate::cli::failure::Failure;
use crate::http::body::UserBody;

/// Where to export to.
#[derive(Args)]
#[command(after_help = "\
Every line is a user as REST shows it; no password is in it, nor any other credential. The file appears once
it is whole, readable by its owner alone.

Examples:
  denizen users export people.ndjson
  denizen users export - | gzip > people.ndjson.gz")]
pub(crate) struct ExportArgs {
    /// The file, or - for standard output.
    #[arg(value_name = "FILE")]
    file: String,
}

pub(super) async fn export(ctx: &Ctx, args: &ExportArgs) -> Result<(), Failure> {
    if args.file == "-" {
        return write_users(ctx, &mut BufWriter::new(io::stdout())).await.map(drop);
    }
    let path = Path::new(&args.file);
    let failed = || format!("writing {}", path.display());
    // A device or a pipe is written in place; a file is written aside, so that a half one never stands there.
    let is_special = path.metadata().is_ok_and(|found| !found.is_file());
    let draft = if is_special { path.to_owned() } else { draft_of(path) };
    let file = owner_only().create(true).truncate(true).write(true).open(&draft).with_context(failed)?;
    let written = write_to(ctx, file, is_special).await;
    match written {
        Ok(count) if is_special => say(count, path),
        Ok(count) => {
            std::fs::rename(&draft, path).with_context(failed)?;
            say(count, path)
        }
        Err(failure) => {
            if !is_special {
                // What broke the export off is told; a draft left behind is not worth a second line.
                let _ = std::fs::remove_file(&draft);
            }
            Err(failure)
        }
    }
}

async fn write_to(ctx: &Ctx, file: File, is_special: bool) -> Result<u64, Failure> {
    let mut writer = BufWriter::new(file);
    let count = write_users(ctx, &mut writer).await?;
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    if !is_special {
        file.sync_all()?;
    }
    Ok(count)
}

async fn write_users(ctx: &Ctx, writer: &mut impl Write) -> Result<u64, Failure> {
    let progress = Progress::of_users();
    let filter = UserFilter::default();
    let mut page = Page { limit: PAGE_MAX, start: Start::Offset(0) };
    // Counting reads everything once more: only where somebody sees the bar.
    let mut total = if progress.is_visible() { Total::Count } else { Total::Skip };
    let mut count = 0;
    loop {
        let listed = users::list(ctx, &filter, page, total).await?;
        if let Some(total) = listed.total {
            progress.set_total(total);
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

fn say(count: u64, path: &Path) -> Result<(), Failure> {
    writeln!(io::stderr(), "exported {count} users to {}", path.display())?;
    Ok(())
}

fn draft_of(path: &Path) -> PathBuf {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".partial");
    draft.into()
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
