//! Files: whether the server can use them, and who else can read them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Findings;
use crate::app::store_options;
use crate::config::{Loaded, Source};
use crate::config_files;

/// Examines the files that the server writes, and the modes of those that contain secrets.
pub(super) fn check(loaded: &Loaded, findings: &mut Findings) {
    for mistake in config_files::check_writable(loaded) {
        findings.error("files", mistake.to_string(), "Correct the path or its permissions");
    }
    for (path, content) in secret_files(loaded) {
        check_mode(&path, content, findings);
    }
    if let Some(path) = sqlite_file(loaded) {
        check_writable(&path, findings);
    }
    if !findings.has_problem("files") {
        findings.ok("files", "files of secrets are private, and the server can write where it must");
    }
}

/// The files that contain secrets and exist.
fn secret_files(loaded: &Loaded) -> BTreeSet<(PathBuf, &'static str)> {
    let config = &loaded.config;
    let has_key_file = config.security.master_key.is_none() && config.security.master_key_command.is_none();
    let mut files = BTreeSet::new();
    files.extend(has_key_file.then(|| (config.security.master_key_file.clone(), "the master key")));
    files.extend(config.server.tls_key_file.clone().map(|path| (path, "the private key of TLS")));
    files.extend(sqlite_file(loaded).map(|path| (path, "the database")));
    for provider in &config.providers {
        files.extend(provider.client_secret_file.clone().map(|path| (path, "the secret of a provider")));
    }
    // A password in database.url is redacted within the value.
    for entry in loaded.entries.iter().filter(|entry| entry.shown_value.contains("[redacted]")) {
        if let Source::File(path) | Source::DotEnv(path) = &entry.source {
            files.insert((PathBuf::from(path), "secrets of the configuration"));
        }
    }
    files.into_iter().filter(|(path, _)| path.is_file()).collect()
}

fn sqlite_file(loaded: &Loaded) -> Option<PathBuf> {
    let database = store_options(&loaded.config).ok()?;
    database.sqlite_file().filter(|path| path.is_file()).map(Path::to_owned)
}

#[cfg(unix)]
fn check_mode(path: &Path, content: &str, findings: &mut Findings) {
    use std::os::unix::fs::PermissionsExt;
    // The group may read it: that is how orchestrators mount secrets.
    const OTHERS: u32 = 0o007;
    const GROUP_WRITES: u32 = 0o020;
    let Ok(metadata) = path.metadata() else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & (OTHERS | GROUP_WRITES) != 0 {
        let line = format!("{} contains {content} and has mode {mode:03o}", path.display());
        findings.warn("files", line, format!("chmod 600 {}", path.display()));
    }
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &str, _: &mut Findings) {}

/// SQLite writes to the file and to files beside it.
#[cfg(unix)]
fn check_writable(path: &Path, findings: &mut Findings) {
    use rustix::fs::{Access, access};
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for path in [path, folder] {
        if let Err(error) = access(path, Access::WRITE_OK) {
            let line = format!("this user cannot write to {}: {error}", path.display());
            let remedy = "Make the user of the server its owner; run `denizen doctor` as that user";
            findings.error("files", line, remedy);
        }
    }
}

#[cfg(not(unix))]
fn check_writable(_: &Path, _: &mut Findings) {}
