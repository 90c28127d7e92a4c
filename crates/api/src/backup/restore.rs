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
use denizen_domain::time::Timestamp;
use denizen_domain::{Ctx, backups};
use denizen_infra::clock::SystemClock;
use denizen_infra::root::master_id;
use denizen_infra::snapshots::{self, Contents, Header, Loaded, OnProgress, SnapshotError};
use denizen_infra::stores::{Schema, StoreOptions, check_and_fold, companions};
use tokio::task::spawn_blocking;

use super::schedule::stamp;
use crate::app::{Ambience, App, existing_master_key};
use crate::config::Config;
use crate::encrypted_file::DecryptionArgs;

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
        Schema::Current if plan.header.schema_version == options.newest_version() => {}
        Schema::Current | Schema::Outdated { .. } => bail!(
            "the backup has schema version {}, the database another one: restore it into an empty database",
            plan.header.schema_version
        ),
    }
    let loaded = load(options, file, keys, on_progress).await?;
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
    let draft_path = beside(path, ".restoring");
    remove(&draft_path).with_context(|| format!("removing {}", draft_path.display()))?;
    let mut draft_config = config.clone();
    draft_config.database.url = format!("sqlite://{}", draft_path.display());
    let draft = crate::app::store_options(&draft_config)?;
    let drafted = async {
        draft.migrate_to(plan.header.schema_version).await?;
        let loaded = load(&draft, file, keys, on_progress).await?;
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
    if is_present && let Err(error) = check_and_fold(path).await {
        tracing::warn!(error = %crate::http::problem::Chain(&error), "the database that is replaced is damaged");
    }
    let previous = is_present.then(|| beside(path, &format!(".before-restore-{}", stamp(SystemClock.now()))));
    let swapped = swap(&draft_path, path, previous.as_deref());
    swapped.with_context(|| format!("replacing {}", path.display()))?;
    Ok(Restored { loaded, previous })
}

async fn load(
    target: &StoreOptions,
    file: &Path,
    keys: &DecryptionArgs,
    on_progress: OnProgress<'_>,
) -> anyhow::Result<Loaded> {
    let (path, keys) = (file.to_owned(), keys.clone());
    let snapshot = spawn_blocking(move || super::open(&path, &keys)).await??;
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
fn swap(draft: &Path, path: &Path, previous: Option<&Path>) -> io::Result<()> {
    if let Some(previous) = previous {
        fs::hard_link(path, previous).or_else(|_| fs::copy(path, previous).map(drop))?;
        for (old, kept) in companions(path).iter().zip(companions(previous)) {
            match fs::rename(old, kept) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    fs::rename(draft, path)?;
    File::open(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()
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
