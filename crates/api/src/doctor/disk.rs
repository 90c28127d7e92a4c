//! Free space where the server writes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use denizen_infra::stores::StoreOptions;

use super::Findings;
use crate::app::store_options;
use crate::config::Config;

const MIB: u64 = 1024 * 1024;
/// Less is an error: the next checkpoint or mail may fail.
const FREE_ERROR: u64 = 100 * MIB;
/// Less is a warning.
const FREE_WARNING: u64 = 1024 * MIB;

/// Examines the free space of every folder that the server writes to.
#[cfg(unix)]
pub(super) fn check(config: &Config, findings: &mut Findings) {
    for folder in folders(config) {
        match rustix::fs::statvfs(&folder) {
            Ok(stat) => judge(&folder, stat.f_bavail.saturating_mul(stat.f_frsize), findings),
            Err(error) => {
                let line = format!("cannot read the free space of {}: {error}", folder.display());
                findings.warn("disk", line, "Check that the folder exists and is readable");
            }
        }
    }
}

/// Free space is not read here.
#[cfg(not(unix))]
pub(super) fn check(_: &Config, _: &mut Findings) {}

fn judge(folder: &Path, free: u64, findings: &mut Findings) {
    let line = format!("{} MiB are free in {}", free / MIB, folder.display());
    let remedy = "Free space or enlarge the volume: without space, requests that write fail with 503";
    match free {
        free if free < FREE_ERROR => findings.error("disk", line, remedy),
        free if free < FREE_WARNING => findings.warn("disk", line, remedy),
        _ => findings.ok("disk", line),
    }
}

/// The folders that the server writes to, or those above them that exist.
fn folders(config: &Config) -> BTreeSet<PathBuf> {
    let database = store_options(config).ok();
    let files = [database.as_ref().and_then(StoreOptions::sqlite_file), config.audit.head_file.as_deref()];
    let above = files.into_iter().flatten().filter_map(Path::parent);
    above.chain(config.mail.folder.as_deref()).filter_map(existing).collect()
}

fn existing(folder: &Path) -> Option<PathBuf> {
    let shown = |path: &Path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() };
    folder.ancestors().map(shown).find(|path| path.is_dir())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Findings, Severity};
    use super::{FREE_ERROR, FREE_WARNING, existing, judge};

    #[test]
    fn free_space_is_judged_by_its_size() {
        for (free, severity) in [
            (FREE_WARNING, Severity::Ok),
            (FREE_WARNING - 1, Severity::Warning),
            (FREE_ERROR, Severity::Warning),
            (FREE_ERROR - 1, Severity::Error),
            (0, Severity::Error),
        ] {
            let mut findings = Findings::default();
            judge(Path::new("/data"), free, &mut findings);
            assert_eq!(findings.count(severity), 1, "{free}");
        }
    }

    #[test]
    fn a_folder_that_does_not_exist_yet_is_judged_by_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b")).as_deref(), Some(folder.path()));
        assert_eq!(existing(Path::new("no-such-folder/x")), Some(".".into()));
    }
}
