//! Where scheduled backups are: in a folder, or in a bucket.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, anyhow};
use denizen_domain::time::Timestamp;
use denizen_infra::s3::{S3, S3Settings, trusted_certificates};
use tokio::task::spawn_blocking;

use super::create::Target;
use super::schedule::{PREFIX, is_backup};
use crate::atomic_file::DRAFT_SUFFIX;
use crate::config::Backups;

/// Where backups are.
pub(super) enum Destination {
    Folder(PathBuf),
    Bucket(Box<Bucket>),
}

/// A bucket in S3-compatible object storage.
pub(crate) struct Bucket {
    storage: S3,
    /// What the keys of backups begin with.
    prefix: String,
    /// For messages.
    name: String,
}

impl Bucket {
    /// The configured bucket; `None` if there is none.
    ///
    /// # Errors
    /// If the file of certificate authorities cannot be read, or the endpoint and the bucket are not a valid URL.
    pub(crate) fn of(config: &Backups) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = &config.s3_endpoint else { return Ok(None) };
        let missing = || anyhow!("backups.s3_bucket or the access key is not set");
        let authorities = match &config.s3_ca_file {
            Some(file) => trusted_certificates(file).context("backups.s3_ca_file")?,
            None => Vec::new(),
        };
        let bucket = config.s3_bucket.clone().ok_or_else(missing)?;
        let prefix = config.s3_prefix.clone().unwrap_or_default();
        let name = format!("s3://{bucket}/{prefix}");
        let storage = S3::new(S3Settings {
            endpoint: endpoint.parse().context("backups.s3_endpoint")?,
            bucket,
            region: config.s3_region.clone(),
            path_style: config.s3_path_style,
            access_key_id: config.s3_access_key_id.clone().ok_or_else(missing)?,
            secret_access_key: config.s3_secret_access_key.clone().ok_or_else(missing)?,
            authorities,
        })?;
        Ok(Some(Self { storage, prefix, name }))
    }

    /// The names of the backups in the bucket, the oldest first.
    ///
    /// # Errors
    /// If the storage refuses the request or does not answer.
    pub(crate) async fn present(&self) -> anyhow::Result<Vec<String>> {
        let keys = self.storage.list(&format!("{}{PREFIX}", self.prefix)).await;
        let keys = keys.with_context(|| format!("listing {self}"))?;
        let names = keys.iter().filter_map(|key| key.strip_prefix(&self.prefix));
        let mut names: Vec<_> = names.filter(|name| is_backup(name)).map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Aborts uploads of backups that were started before this time.
    async fn abort_abandoned(&self, before: Timestamp) -> anyhow::Result<()> {
        let is_abandoned = |key: &str, initiated: &str| {
            key.strip_prefix(&self.prefix).is_some_and(is_backup)
                && Timestamp::parse(initiated).is_some_and(|initiated| initiated < before)
        };
        let aborted = self.storage.abort_uploads(&format!("{}{PREFIX}", self.prefix), is_abandoned).await;
        aborted.with_context(|| format!("aborting abandoned uploads to {self}"))
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Destination {
    /// The names of the backups, the oldest first. A folder that does not exist is created.
    pub(super) async fn present(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Bucket(bucket) => bucket.present().await,
            Self::Folder(folder) => {
                let path = folder.clone();
                let listed = spawn_blocking(move || list(&path)).await?;
                listed.with_context(|| format!("reading {}", folder.display()))
            }
        }
    }

    /// Deletes what a server left behind that was killed before this time while it made a backup.
    pub(super) async fn delete_abandoned(&self, before: Timestamp) -> anyhow::Result<()> {
        match self {
            Self::Bucket(bucket) => bucket.abort_abandoned(before).await,
            Self::Folder(folder) => {
                let path = folder.clone();
                let deleted = spawn_blocking(move || delete_drafts(&path, before)).await?;
                deleted.with_context(|| format!("deleting drafts in {}", folder.display()))
            }
        }
    }

    pub(super) async fn delete(&self, name: &str) -> anyhow::Result<()> {
        let failed = || format!("deleting {}", self.path_of(name));
        match self {
            Self::Bucket(bucket) => {
                bucket.storage.delete(&format!("{}{name}", bucket.prefix)).await.with_context(failed)
            }
            Self::Folder(folder) => {
                let path = folder.join(name);
                spawn_blocking(move || fs::remove_file(path)).await?.with_context(failed)
            }
        }
    }

    /// The target of a new backup.
    pub(super) fn target(&self, name: &str) -> Target {
        match self {
            Self::Folder(folder) => Target::File(folder.join(name)),
            Self::Bucket(bucket) => Target::Object {
                storage: Box::new(bucket.storage.clone()),
                key: format!("{}{name}", bucket.prefix),
                path: self.path_of(name),
            },
        }
    }

    /// The path or URL of a backup, for messages.
    pub(super) fn path_of(&self, name: &str) -> String {
        match self {
            Self::Folder(folder) => folder.join(name).display().to_string(),
            Self::Bucket(bucket) => format!("{bucket}{name}"),
        }
    }
}

fn delete_drafts(folder: &Path, before: Timestamp) -> io::Result<()> {
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
