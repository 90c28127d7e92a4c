//! Scheduled backups: whether the bucket can be used.

use super::Findings;
use crate::backup::Bucket;
use crate::cli::chain;
use crate::config::{Config, is_plain_and_remote};

const CHECK: &str = "backups";
const REMEDY: &str = "Correct backups.s3_endpoint, backups.s3_bucket, backups.s3_region and the access key, which needs \
                      the permissions that docs/backups.md lists; no backup is uploaded meanwhile";

/// Examines the bucket of scheduled backups. Lists it, and writes nothing.
pub(super) async fn check(config: &Config, findings: &mut Findings) {
    let bucket = match Bucket::of(&config.backups) {
        Ok(Some(bucket)) => bucket,
        Ok(None) => return,
        Err(error) => return findings.error(CHECK, chain(&error), REMEDY),
    };
    match bucket.present().await {
        Ok(names) => match names.last() {
            Some(last) => findings.ok(CHECK, format!("the last backup is {bucket}{last}")),
            None => findings.ok(CHECK, format!("{bucket} has no backup yet")),
        },
        Err(error) => findings.error(CHECK, chain(&error), REMEDY),
    }
    let is_exposed = config.backups.s3_endpoint.as_ref().is_some_and(|url| is_plain_and_remote(url));
    if is_exposed && config.backups.recipients.is_empty() {
        let line = "backups are neither encrypted nor sent over TLS";
        findings.warn(CHECK, line, "Set backups.recipients, or an https URL in backups.s3_endpoint");
    }
}
