//! Backups on a schedule, into a folder, where a number of them is kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::Context;
use denizen_domain::Services;
use denizen_domain::time::Timestamp;
use denizen_infra::stores::StoreOptions;
use tokio::task::spawn_blocking;

use super::create::{Target, create};
use crate::atomic_file::DRAFT_SUFFIX;
use crate::config::Backups;
use crate::encrypted_file::{EncryptedFileError, Recipients};

const PREFIX: &str = "denizen-";
const SUFFIX: &str = ".backup";
/// No backup takes longer, in seconds.
const ABANDONED_AFTER_S: u32 = 7 * 86_400;

/// When and where backups are made.
pub(crate) struct Schedule {
    folder: PathBuf,
    interval_s: u32,
    keep: usize,
    recipients: Option<Recipients>,
    options: StoreOptions,
}

/// Why a scheduled backup failed.
#[derive(Debug)]
pub(crate) struct ScheduledBackupError(anyhow::Error);

impl std::fmt::Display for ScheduledBackupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ScheduledBackupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl Schedule {
    /// The configured schedule; `None` if there is no folder.
    ///
    /// # Errors
    /// When a recipient is not a public key.
    pub(crate) fn new(config: &Backups, options: StoreOptions) -> Result<Option<Self>, EncryptedFileError> {
        let Some(folder) = config.folder.clone() else { return Ok(None) };
        let recipients = (!config.recipients.is_empty()).then(|| Recipients::parse(&config.recipients)).transpose()?;
        Ok(Some(Self {
            folder,
            interval_s: config.interval_h * 3_600,
            keep: config.keep as usize,
            recipients,
            options,
        }))
    }

    /// Makes a backup if the last one is older than the interval, and deletes those beyond the number that is kept.
    pub(crate) async fn run(&self, services: &Services) -> Result<(), ScheduledBackupError> {
        self.make_if_due(services).await.map_err(ScheduledBackupError)
    }

    async fn make_if_due(&self, services: &Services) -> anyhow::Result<()> {
        let now = services.clock.now();
        let present = self.present().await?;
        self.delete_abandoned(now).await?;
        let (due_after, latest) = (name(now.minus_seconds(self.interval_s)), name(now));
        // A name in the future comes from a clock that was wrong: it does not hold up the next backup.
        if present.iter().any(|made| *made > due_after && *made <= latest) {
            return Ok(());
        }
        let path = self.folder.join(name(now));
        let target = Target::File(path.clone());
        let made = create(services, &self.options, &target, self.recipients.as_ref(), &|_| {}).await?;
        tracing::info!(path = %path.display(), bytes = made.bytes, rows = made.contents.rows(), "backup complete");
        self.delete_old().await
    }

    /// The names of the backups in the folder, the oldest first. The folder is created if it does not exist.
    async fn present(&self) -> anyhow::Result<Vec<String>> {
        let folder = self.folder.clone();
        let listed = spawn_blocking(move || list(&folder)).await?;
        listed.with_context(|| format!("reading {}", self.folder.display()))
    }

    async fn delete_abandoned(&self, now: Timestamp) -> anyhow::Result<()> {
        let (folder, before) = (self.folder.clone(), now.minus_seconds(ABANDONED_AFTER_S));
        let deleted = spawn_blocking(move || delete_abandoned(&folder, before)).await?;
        deleted.with_context(|| format!("deleting drafts in {}", self.folder.display()))
    }

    async fn delete_old(&self) -> anyhow::Result<()> {
        let present = self.present().await?;
        let old: Vec<_> = present.iter().rev().skip(self.keep).map(|name| self.folder.join(name)).collect();
        for path in old {
            let failed = format!("deleting {}", path.display());
            spawn_blocking(move || fs::remove_file(path)).await?.context(failed)?;
        }
        Ok(())
    }
}

/// Deletes drafts that a killed server left behind.
fn delete_abandoned(folder: &Path, before: Timestamp) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        let is_draft =
            name.strip_prefix('.').is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(DRAFT_SUFFIX));
        let written = entry.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let is_old = i64::try_from(written.as_micros()).is_ok_and(|written| written < before.as_micros());
        if is_draft && is_old {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn list(folder: &Path) -> io::Result<Vec<String>> {
    fs::create_dir_all(folder)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if is_backup(&name) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The name of a backup that was made at this time. Names sort as times do.
fn name(moment: Timestamp) -> String {
    format!("{PREFIX}{}{SUFFIX}", stamp(moment))
}

/// Whether a file is one of ours: others in the folder are left alone.
fn is_backup(name: &str) -> bool {
    let stamp = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    stamp.is_some_and(|stamp| {
        stamp.len() == 16 && stamp.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'T' | b'Z'))
    })
}

/// A time for the name of a file: 20261130T172300Z.
pub(super) fn stamp(moment: Timestamp) -> String {
    let text = moment.to_string();
    let digits = text.split('.').next().unwrap_or_default().replace(['-', ':'], "");
    format!("{digits}Z")
}

#[cfg(test)]
mod tests {
    use denizen_domain::time::Timestamp;

    use super::{is_backup, name};

    #[test]
    fn names_are_known_and_sort_by_time() {
        let moment = Timestamp::parse("2026-11-30T17:23:00.5Z").unwrap();
        assert_eq!(name(moment), "denizen-20261130T172300Z.backup");
        assert!(is_backup(&name(moment)) && name(moment) < name(moment.plus_seconds(1)));
        for other in
            ["denizen-.backup", "accounts.backup", "denizen-20261130T172300Z.backup.partial", "denizen-20261130.backup"]
        {
            assert!(!is_backup(other), "{other}");
        }
    }
}
