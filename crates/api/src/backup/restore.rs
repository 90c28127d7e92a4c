//! Restores a backup.
//!
//! On SQLite, the backup is loaded into a new file, which takes the place of the database when it is complete. On
//! PostgreSQL, it is loaded in one transaction. A restore that is interrupted leaves the database as it was.

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
use denizen_infra::stores::{Schema, StoreOptions, check_and_fold, resolve};
use tokio::task::spawn_blocking;

use super::file::{BackupFile, Verified};
use super::replace_file::Draft;
use super::schedule::stamp;
use crate::app::{Ambience, App, existing_master_key};
use crate::config::Config;
use crate::http::problem::Chain;

/// The tables that show whether a database is in use.
const IN_USE: [&str; 3] = ["users", "service_accounts", "providers"];

/// A restore of a backup that was verified.
pub(crate) struct Restore<'a> {
    config: &'a Config,
    options: &'a StoreOptions,
    file: Arc<BackupFile>,
    pub(crate) header: Header,
    pub(crate) contents: Contents,
    /// What the database contains, if anything: "3 users, 1 service account".
    pub(crate) present: Option<String>,
}

/// A backup that was restored.
pub(crate) struct Restored {
    pub(crate) loaded: Loaded,
    /// Where the previous database is kept.
    pub(crate) previous: Option<PathBuf>,
}

impl<'a> Restore<'a> {
    /// Verifies a backup and looks at the database. Changes nothing.
    pub(crate) async fn plan(config: &'a Config, options: &'a StoreOptions, file: BackupFile) -> anyhow::Result<Self> {
        let file = Arc::new(file);
        let read = Arc::clone(&file);
        let Verified { header, contents, master_ids } = spawn_blocking(move || read.verify()).await??;
        if header.schema_version > options.newest_version() {
            return Err(SnapshotError::Newer { release: header.release }.into());
        }
        if !master_ids.is_empty() {
            let key = existing_master_key(&config.security).await.context(
                "a backup does not contain the master key; configure the master key of the server that made it",
            )?;
            if !master_ids.contains(&master_id(&key)) {
                bail!(
                    "the configured master key does not open the backup: configure the master key of the server that \
                     made it"
                );
            }
        }
        let present = present(options).await?;
        Ok(Self { config, options, file, header, contents, present })
    }

    /// Restores the backup. Whatever the database contains is replaced.
    pub(crate) async fn run(&self, on_progress: OnProgress<'_>) -> anyhow::Result<Restored> {
        // The read cache of a running server would still have the old database.
        let _claim = self.options.claim()?;
        let others = self.options.other_connections().await?;
        if others > 0 {
            bail!("{others} other connections of Denizen to this database are open: stop all servers first");
        }
        if present(self.options).await? != self.present {
            bail!("the contents of the database have just changed: run the command again");
        }
        match self.options.sqlite_file() {
            Some(path) => self.replace_file(path, on_progress).await,
            None => self.replace_rows(on_progress).await,
        }
    }

    async fn replace_rows(&self, on_progress: OnProgress<'_>) -> anyhow::Result<Restored> {
        let version = self.header.schema_version;
        match self.options.schema().await? {
            Schema::Absent | Schema::Empty => self.options.migrate_to(version).await?,
            _ if self.options.row_reader(None).await?.schema_version() == version => {}
            Schema::Current | Schema::Outdated { .. } => bail!(
                "the backup has schema version {version}, the database another one: restore it into an empty database"
            ),
        }
        let loaded = self.load(self.options, on_progress).await?;
        self.finish(self.config).await?;
        Ok(Restored { loaded, previous: None })
    }

    async fn replace_file(&self, path: &Path, on_progress: OnProgress<'_>) -> anyhow::Result<Restored> {
        // If the path is a symbolic link, the link stays, and its target is replaced.
        let path = &resolve(path).with_context(|| format!("reading {}", path.display()))?;
        let failed = || format!("replacing {}", path.display());
        let draft = Draft::new(path).with_context(failed)?;
        let drafted = self.draft(&draft.path, on_progress).await;
        if drafted.is_err() {
            // The error of before matters, not that of deleting the draft.
            let _ = draft.delete();
        }
        let loaded = drafted?;
        if path.exists() {
            match check_and_fold(path).await {
                Ok(()) => {}
                // Its write-ahead log may have changes that are not in the file.
                Err(StoreError::Unavailable(error)) => bail!("{}: {error}; nothing was changed", path.display()),
                Err(error) => tracing::warn!(error = %Chain(&error), "the database that is replaced is damaged"),
            }
        }
        let previous = draft.replace_database(&stamp(SystemClock.now())).with_context(failed)?;
        Ok(Restored { loaded, previous })
    }

    /// Loads the backup into a new SQLite file.
    async fn draft(&self, path: &Path, on_progress: OnProgress<'_>) -> anyhow::Result<Loaded> {
        let mut config = self.config.clone();
        config.database.url = format!("sqlite://{}", path.display());
        let options = crate::app::store_options(&config)?;
        options.migrate_to(self.header.schema_version).await?;
        let loaded = self.load(&options, on_progress).await?;
        self.finish(&config).await?;
        check_and_fold(path).await?;
        Ok(loaded)
    }

    async fn load(&self, target: &StoreOptions, on_progress: OnProgress<'_>) -> anyhow::Result<Loaded> {
        let file = Arc::clone(&self.file);
        let snapshot = spawn_blocking(move || file.read()).await??;
        let tables = target.row_reader(None).await?.tables().to_vec();
        for table in tables.iter().filter(|table| table.content != Content::Transient) {
            if !self.contents.tables.iter().any(|(name, _)| *name == table.name) {
                bail!("the backup has no table {}: it is incomplete", table.name);
            }
        }
        let mut writer = target.draft_writer().await?;
        let loaded = snapshots::load(snapshot, writer.as_mut(), SystemClock.now(), on_progress).await?;
        writer.commit().await?;
        Ok(loaded)
    }

    /// Applies the migrations of this release, creates a signing key in place of those that were withdrawn, and records the
    /// restore.
    async fn finish(&self, config: &Config) -> anyhow::Result<()> {
        crate::app::store_options(config)?.migrate().await?;
        let app = App::open_in(config, Ambience::default()).await?;
        let ctx = Ctx::new(Arc::clone(&app.services), Actor::Operator, Origin::default());
        let created_at = Timestamp::parse(&self.header.created_at);
        let recorded = async {
            let created_at = created_at.ok_or_else(|| anyhow!("the time of the backup is malformed"))?;
            backups::record_restore(&ctx, created_at).await?;
            anyhow::Ok(ctx.store().seal_events().await?)
        };
        let recorded = recorded.await;
        ctx.store().close().await;
        recorded.map(drop)
    }
}

/// What a database contains, if anything.
async fn present(options: &StoreOptions) -> anyhow::Result<Option<String>> {
    match count(options).await {
        // A damaged file can be replaced too.
        Err(error) if options.sqlite_file().is_some() => Ok(Some(format!("a file that cannot be read ({error:#})"))),
        counted => counted,
    }
}

async fn count(options: &StoreOptions) -> anyhow::Result<Option<String>> {
    if matches!(options.schema().await?, Schema::Absent | Schema::Empty) {
        return Ok(None);
    }
    let mut reader = options.row_reader(None).await?;
    let mut found = Vec::new();
    for table in reader.tables().to_vec() {
        if IN_USE.contains(&table.name.as_str()) {
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
