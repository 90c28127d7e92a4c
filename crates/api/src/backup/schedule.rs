//! Backups on a schedule, into a folder or a bucket, where a number of them is kept.

use anyhow::Context;
use denizen_domain::Services;
use denizen_domain::time::Timestamp;
use denizen_infra::stores::StoreOptions;

use super::create::create;
use super::destination::{Bucket, Destination};
use crate::config::Backups;
use crate::encrypted_file::Recipients;

/// How the names of backups begin.
pub(super) const PREFIX: &str = "denizen-";
const SUFFIX: &str = ".backup";
/// No backup takes longer, in seconds.
const ABANDONED_AFTER_S: u32 = 7 * 86_400;

/// When and where backups are made.
pub(crate) struct Schedule {
    destinations: Vec<Destination>,
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
    /// The configured schedule; `None` if there is neither a folder nor a bucket.
    ///
    /// # Errors
    /// If a recipient is not a public key, or the bucket cannot be used with these settings.
    pub(crate) fn new(config: &Backups, options: StoreOptions) -> anyhow::Result<Option<Self>> {
        let folder = config.folder.clone().map(Destination::Folder);
        let bucket = Bucket::of(config)?.map(|bucket| Destination::Bucket(Box::new(bucket)));
        let destinations: Vec<_> = folder.into_iter().chain(bucket).collect();
        if destinations.is_empty() {
            return Ok(None);
        }
        let recipients = (!config.recipients.is_empty()).then(|| Recipients::parse(&config.recipients)).transpose();
        Ok(Some(Self {
            destinations,
            interval_s: config.interval_h * 3_600,
            keep: config.keep as usize,
            recipients: recipients.context("backups.recipients")?,
            options,
        }))
    }

    /// Makes a backup in every destination whose last one is older than the interval, and deletes those beyond the number
    /// that is kept.
    pub(crate) async fn run(&self, services: &Services) -> Result<(), ScheduledBackupError> {
        let mut outcome = Ok(());
        for destination in &self.destinations {
            // One that fails does not prevent the others.
            let made = self.make_if_due(services, destination).await.map_err(ScheduledBackupError);
            outcome = outcome.and(made);
        }
        outcome
    }

    async fn make_if_due(&self, services: &Services, destination: &Destination) -> anyhow::Result<()> {
        let now = services.clock.now();
        let present = destination.present().await?;
        let (due_after, latest) = (name(now.minus_seconds(self.interval_s)), name(now));
        // A name in the future comes from a clock that was wrong: it neither delays the next backup nor counts as one.
        if present.iter().any(|made| *made > due_after && *made <= latest) {
            return Ok(());
        }
        // Not a reason to make no backup: some storage does not list uploads.
        if let Err(error) = destination.delete_abandoned(now.minus_seconds(ABANDONED_AFTER_S)).await {
            tracing::warn!(error = format!("{error:#}"), "abandoned drafts of backups were not deleted");
        }
        let (target, path) = (destination.target(&latest), destination.path_of(&latest));
        let made = create(services, &self.options, &target, self.recipients.as_ref(), &|_| {}).await?;
        tracing::info!(path, bytes = made.bytes, rows = made.contents.rows(), "backup complete");
        let present = destination.present().await?;
        for old in present.iter().rev().filter(|made| **made <= latest).skip(self.keep) {
            destination.delete(old).await?;
        }
        Ok(())
    }
}

/// The name of a backup that was made at this time. Names sort as times do.
fn name(moment: Timestamp) -> String {
    format!("{PREFIX}{}{SUFFIX}", stamp(moment))
}

/// Whether a file is one of ours: others in the folder are left alone.
pub(super) fn is_backup(name: &str) -> bool {
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
