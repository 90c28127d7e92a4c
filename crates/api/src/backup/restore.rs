//! Restores a backup.
//!
//! On SQLite, the backup is loaded into a new file, which takes the place of the database when it is complete. On
//! PostgreSQL, it is loaded in one transaction. A restore that is cut off leaves the database as it was.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use denizen_domain::access::{Actor, Origin};
use denizen_domain::ports::Clock;
use denizen_domain::rows::Content;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::{Ctx, backups};
use denizen_infra::clock::SystemClock;
use denizen_infra::root::master_id;
use denizen_infra::snapshots::{self, Contents, Header, Loaded, OnProgress, SnapshotError};
use denizen_infra::stores::{Schema, StoreOptions, check_and_fold, companions, resolve};
use tokio::task::spawn_blocking;

use super::schedule::stamp;
use crate::app::{Ambience, App, existing_master_key};
use crate::config::Config;
use crate::encrypted_file::DecryptionArgs;
use crate::http::problem::Chain;

/// The tables that say whether somebody uses a database.
const TELLING: [&str; 3] = ["users", "service_accounts", "providers"];

/// A backup that was verified, and the database that it would go to.
pub(crate) struct Plan {
    pub(crate) header: Header,
    pub(crate) contents: Contents,
    /// What the database contains, if anything: "3 users and 1 service account".
    pub(crate) present: Option<String>,
    schema: Schema,
}

/// A backup that was restored.
pub(crate) struct Restored {
    pub(crate) loaded: Loaded,
    /// Where the database is kept that was there before.
    pub(crate) previous: Option<PathBuf>,
}

/// Verifies a backup and looks at the database. Changes nothing.
pub(crate) async fn plan(
    config: &Config,
    options: &StoreOptions,
    file: &Path,
    keys: &DecryptionArgs,
) -> anyhow::Result<Plan> {
    let (path, keys) = (file.to_owned(), keys.clone());
    let (header, contents, masters) = spawn_blocking(move || super::verify(&path, &keys)).await??;
    if header.schema_version > options.newest_version() {
        return Err(SnapshotError::Newer { release: header.release }.into());
    }
    if !masters.is_empty() {
        let key = existing_master_key(&config.security)
            .await
            .context("a backup does not contain the master key; configure the master key of the server that made it")?;
        if !masters.contains(&master_id(&key)) {
            bail!(
                "the configured master key does not open the backup: configure the master key of the server that made it"
            );
        }
    }
    let schema = options.schema().await?;
    Ok(Plan { header, contents, present: present(options, schema).await?, schema })
}

/// What a database contains, if anything.
async fn present(options: &StoreOptions, schema: Schema) -> anyhow::Result<Option<String>> {
    if matches!(schema, Schema::Absent | Schema::Empty) {
        return Ok(None);
    }
    // A damaged file can be replaced as well, by those who say so.
    let mut reader = match options.row_reader(None).await {
        Ok(reader) => reader,
        Err(error) if options.sqlite_file().is_some() => return Ok(Some(format!("an unreadable file ({error})"))),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for table in reader.tables().to_vec() {
        if TELLING.contains(&table.name.as_str()) {
            let count = reader.count(&table).await?;
            let name = table.name.replace('_', " ");
            match count {
                0 => {}
                1 => found.push(format!("1 {}", name.trim_end_matches('s'))),
                count => found.push(format!("{count} {name}")),
            }
        }
    }
    // A backup does not have them, and a new file would be without them.
    let foreign = options.foreign_tables().await?;
    if !foreign.is_empty() {
        found.push(format!("tables of an application ({})", foreign.join(", ")));
    }
    Ok((!found.is_empty()).then(|| found.join(", ")))
}

/// Restores a backup. Whatever the database contains is replaced.
pub(crate) async fn restore(
    config: &Config,
    options: &StoreOptions,
    plan: &Plan,
    file: &Path,
    keys: &DecryptionArgs,
    on_progress: OnProgress<'_>,
) -> anyhow::Result<Restored> {
    // A server that goes on with what it remembers of the old database would mix it with the new one.
    let _claim = options.claim()?;
    let others = options.other_connections().await?;
    if others > 0 {
        bail!("{others} other connections of Denizen to this database are open: stop all servers first");
    }
    if present(options, options.schema().await?).await? != plan.present {
        bail!("the contents of the database have just changed: run the command again");
    }
    match options.sqlite_file() {
        Some(path) => replace_file(config, path, plan, file, keys, on_progress).await,
        None => replace_rows(config, options, plan, file, keys, on_progress).await,
    }
}

async fn replace_rows(
    config: &Config,
    options: &StoreOptions,
    plan: &Plan,
    file: &Path,
    keys: &DecryptionArgs,
    on_progress: OnProgress<'_>,
) -> anyhow::Result<Restored> {
    match plan.schema {
        Schema::Absent | Schema::Empty => options.migrate_to(plan.header.schema_version).await?,
        _ if options.row_reader(None).await?.schema_version() == plan.header.schema_version => {}
        Schema::Current | Schema::Outdated { .. } => bail!(
            "the backup has schema version {}, the database another one: restore it into an empty database",
            plan.header.schema_version
        ),
    }
    let loaded = load(options, plan, file, keys, on_progress).await?;
    options.migrate().await?;
    finish(config, &plan.header).await?;
    Ok(Restored { loaded, previous: None })
}

async fn replace_file(
    config: &Config,
    path: &Path,
    plan: &Plan,
    file: &Path,
    keys: &DecryptionArgs,
    on_progress: OnProgress<'_>,
) -> anyhow::Result<Restored> {
    // Behind a symbolic link: the link stays, and the file behind it is replaced.
    let path = &resolve(path).with_context(|| format!("reading {}", path.display()))?;
    let draft_path = beside(path, ".restoring");
    remove(&draft_path).with_context(|| format!("removing {}", draft_path.display()))?;
    let mut draft_config = config.clone();
    draft_config.database.url = format!("sqlite://{}", draft_path.display());
    let draft = crate::app::store_options(&draft_config)?;
    let drafted = async {
        draft.migrate_to(plan.header.schema_version).await?;
        let loaded = load(&draft, plan, file, keys, on_progress).await?;
        draft.migrate().await?;
        finish(&draft_config, &plan.header).await?;
        check_and_fold(&draft_path).await?;
        anyhow::Ok(loaded)
    };
    let loaded = match drafted.await {
        Ok(loaded) => loaded,
        Err(error) => {
            // The message is about what went wrong before.
            let _ = remove(&draft_path);
            return Err(error);
        }
    };
    let is_present = path.exists();
    if is_present {
        match check_and_fold(path).await {
            Ok(()) => {}
            // Its write-ahead log may have changes that are not in the file.
            Err(StoreError::Unavailable(error)) => bail!("{}: {error}; nothing was changed", path.display()),
            Err(error) => tracing::warn!(error = %Chain(&error), "the database that is replaced is damaged"),
        }
    }
    let previous = beside(path, &format!(".before-restore-{}", stamp(SystemClock.now())));
    let swapped = swap(&draft_path, path, &previous);
    swapped.with_context(|| format!("replacing {}", path.display()))?;
    // What is left of the draft is empty.
    let _ = remove(&draft_path);
    Ok(Restored { loaded, previous: is_present.then_some(previous) })
}

async fn load(
    target: &StoreOptions,
    plan: &Plan,
    file: &Path,
    keys: &DecryptionArgs,
    on_progress: OnProgress<'_>,
) -> anyhow::Result<Loaded> {
    let (path, keys) = (file.to_owned(), keys.clone());
    let snapshot = spawn_blocking(move || super::open(&path, &keys)).await??;
    let reader = target.row_reader(None).await?;
    let expected = reader.tables().iter().filter(|table| table.content != Content::Transient);
    for table in expected {
        if !plan.contents.tables.iter().any(|(name, _)| *name == table.name) {
            bail!("the backup has no table {}: it is incomplete", table.name);
        }
    }
    drop(reader);
    let mut writer = target.row_writer().await?;
    let loaded = snapshots::load(snapshot, writer.as_mut(), SystemClock.now(), on_progress).await?;
    writer.commit().await?;
    Ok(loaded)
}

/// Records the restore, and creates a signing key in place of those that were withdrawn.
async fn finish(config: &Config, header: &Header) -> anyhow::Result<()> {
    let app = App::open_in(config, Ambience::default()).await?;
    let ctx = Ctx::new(Arc::clone(&app.services), Actor::Operator, Origin::default());
    let created_at =
        Timestamp::parse(&header.created_at).ok_or_else(|| anyhow!("the time of the backup is malformed"))?;
    let recorded = backups::record_restore(&ctx, created_at).await;
    ctx.store().seal_events().await?;
    ctx.store().close().await;
    Ok(recorded?)
}

/// Puts the draft in the place of the database, which is kept under another name. There is a database at every moment.
///
/// A write-ahead log that is left beside the database must not be there when the draft takes its name: SQLite would apply
/// it. It is kept with the previous file, or alone if that is missing.
fn swap(draft: &Path, path: &Path, previous: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.exists() {
        match fs::hard_link(path, previous) {
            // The file system has no links.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                fs::copy(path, previous)?;
                File::open(previous)?.sync_all()?;
            }
            linked => linked?,
        }
    }
    for (old, kept) in companions(path).iter().zip(companions(previous)) {
        match fs::rename(old, kept) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    File::open(folder)?.sync_all()?;
    fs::rename(draft, path)?;
    File::open(folder)?.sync_all()
}

/// Removes a draft of before.
fn remove(draft: &Path) -> io::Result<()> {
    let [log, index] = companions(draft);
    for file in [draft, &log, &index, &beside(draft, ".lock")] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
