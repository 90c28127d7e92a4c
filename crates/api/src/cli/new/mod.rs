//! `denizen new`: writes a service whose users sign in with Denizen.

mod choice;
mod files;
mod prompt;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;

use super::failure::Failure;
use super::output::print;
use choice::{Backend, Choice, Framework, GUIDE, Library};
use files::{Service, check_name};
use prompt::Prompt;

const EXAMPLES: &str = "\
Examples:
  denizen new notes --framework axum --database sqlx --sqlite --denizen-path ../denizen
  denizen new notes --framework tonic --database diesel --postgres --dry-run
  denizen new notes        asks for the rest, on a terminal";

/// Which service to write.
#[derive(Args)]
#[command(after_help = format!("{GUIDE}\n\n{EXAMPLES}"))]
pub(super) struct NewArgs {
    /// The name of the service: the folder, which must not exist, and the binary.
    #[arg(value_name = "NAME", value_parser = parse_name)]
    name: String,
    /// The web framework.
    #[arg(long, value_enum)]
    framework: Option<Framework>,
    /// The database library.
    #[arg(long, value_enum)]
    database: Option<Library>,
    /// Stores data in PostgreSQL.
    #[arg(long, conflicts_with = "sqlite")]
    postgres: bool,
    /// Stores data in a SQLite file.
    #[arg(long)]
    sqlite: bool,
    /// A clone of Denizen, whose denizen-client the service uses by path. Required to compile the service until
    /// denizen-client is published. A relative path is relative to the current directory.
    #[arg(long, value_name = "DIR")]
    denizen_path: Option<PathBuf>,
    /// Lists the files without writing them.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &NewArgs) -> Result<(), Failure> {
    let choice = args.choice()?;
    let root = Path::new(&args.name);
    let denizen_path = args.denizen_path.as_deref().map(path_from_service).transpose()?;
    let service = Service { name: &args.name, choice, denizen_path: denizen_path.as_deref() };
    let files = service.files()?;
    if args.dry_run {
        return print(&listed(root, &files));
    }
    write_files(root, &files)?;
    let mut stderr = io::stderr();
    writeln!(
        stderr,
        "created {} with {} files: {choice}; {} explains how to run it",
        args.name,
        files.len(),
        readme(root)
    )?;
    if denizen_path.is_none() {
        writeln!(stderr, "denizen-client is not published yet: create the service with --denizen-path to compile it")?;
    }
    Ok(())
}

impl NewArgs {
    /// The options, and answers for those that are missing.
    fn choice(&self) -> Result<Choice, Failure> {
        let prompt = Prompt::of_process();
        let framework = match self.framework {
            Some(framework) => framework,
            None => prompt.ask("--framework")?,
        };
        let library = match self.database {
            Some(library) => library,
            None => prompt.ask("--database")?,
        };
        let backend = match (self.postgres, self.sqlite) {
            (true, _) => Backend::Postgres,
            (_, true) => Backend::Sqlite,
            // There is no choice.
            _ if Choice::new(framework, library, Backend::Sqlite).is_err() => Backend::Postgres,
            _ => prompt.ask("--postgres or --sqlite")?,
        };
        Choice::new(framework, library, backend).map_err(|reason| Failure::Usage(reason.to_owned()))
    }
}

fn parse_name(raw: &str) -> anyhow::Result<String> {
    check_name(raw)?;
    Ok(raw.to_owned())
}

/// A clone of Denizen, as seen from the folder of the service. Manifests have no other separator than `/`.
fn path_from_service(clone: &Path) -> anyhow::Result<String> {
    let manifest = clone.join("crates/client/Cargo.toml");
    ensure!(manifest.is_file(), "--denizen-path: {} does not exist", manifest.display());
    let path = if clone.is_absolute() { clone.to_owned() } else { Path::new("..").join(clone) };
    let path = path.to_str().context("--denizen-path must be UTF-8")?.replace('\\', "/");
    let is_plain = !path.contains(|c: char| c.is_control() || matches!(c, '"' | '\'' | '$' | '#'));
    ensure!(is_plain, "--denizen-path must not contain quotes, $ or #");
    Ok(path.trim_end_matches('/').to_owned())
}

fn listed(root: &Path, files: &BTreeMap<PathBuf, String>) -> String {
    let lines: Vec<String> = files.keys().map(|path| root.join(path).display().to_string()).collect();
    lines.join("\n") + "\n"
}

fn readme(root: &Path) -> String {
    root.join("README.md").display().to_string()
}

/// Writes the files to a new folder. A folder that exists is not touched.
fn write_files(root: &Path, files: &BTreeMap<PathBuf, String>) -> anyhow::Result<()> {
    let failed = |path: &Path| format!("writing {}", path.display());
    // Creating the folder is the check: two processes cannot both succeed.
    fs::create_dir(root).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => anyhow::anyhow!("{} exists already; choose another name", root.display()),
        _ => anyhow::Error::new(error).context(failed(root)),
    })?;
    for (path, text) in files {
        let path = root.join(path);
        let folder = path.parent().unwrap_or(root);
        fs::create_dir_all(folder).with_context(|| failed(folder))?;
        fs::write(&path, text).with_context(|| failed(&path))?;
    }
    Ok(())
}
