//! Checks whether the configured files can be used by the server, without starting it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use denizen_domain::ports::Clock;
use denizen_infra::clock::SystemClock;
use denizen_infra::master_key::MasterKey;

use crate::app::store_options;
use crate::cli::chain;
use crate::config::{Loaded, Mistake};
use crate::post;
use crate::tls::{Tls, TlsFiles};

/// The parameters of a PostgreSQL URL that name files.
const URL_FILES: [&str; 3] = ["sslrootcert=", "sslcert=", "sslkey="];

/// One line for each unusable file or folder. Creates nothing.
pub(crate) async fn check(loaded: &Loaded) -> Vec<Mistake> {
    let mut findings = check_tls(loaded).await;
    if let Some(path) = &loaded.config.backups.s3_ca_file {
        findings.extend(unreadable(loaded, "backups.s3_ca_file", path));
    }
    findings.extend(check_mail(loaded));
    findings.extend(check_writable(loaded));
    findings
}

/// The files of secrets and data.
pub(crate) fn check_writable(loaded: &Loaded) -> Vec<Mistake> {
    let mut findings = Vec::new();
    check_master_key(loaded, &mut findings);
    check_written(loaded, &mut findings);
    check_database(loaded, &mut findings);
    findings
}

/// The files of TLS.
pub(crate) async fn check_tls(loaded: &Loaded) -> Vec<Mistake> {
    let mut findings = Vec::new();
    let server = &loaded.config.server;
    let files = [
        ("server.tls_cert_file", &server.tls_cert_file),
        ("server.tls_key_file", &server.tls_key_file),
        ("server.tls_client_ca_file", &server.tls_client_ca_file),
    ];
    for (key, path) in files {
        if let Some(path) = path {
            findings.extend(unreadable(loaded, key, path));
        }
    }
    if !findings.is_empty() {
        return findings;
    }
    let Some(files) = TlsFiles::of(server) else { return findings };
    if let Err(error) = Tls::open(files).await {
        let found = format!("not usable: {}", chain(&error.into()));
        findings.push(loaded.finding(
            "server.tls_cert_file",
            &found,
            "a certificate, its private key and certificate authorities in PEM",
        ));
    }
    findings
}

/// The files of mail.
pub(crate) fn check_mail(loaded: &Loaded) -> Vec<Mistake> {
    let mail = &loaded.config.mail;
    let mut findings = Vec::new();
    if let Some(path) = &mail.smtp_ca_file {
        findings.extend(unreadable(loaded, "mail.smtp_ca_file", path));
    }
    for (key, folder, may_be_absent) in
        [("mail.templates", &mail.templates, false), ("mail.folder", &mail.folder, true)]
    {
        let Some(folder) = folder else { continue };
        let is_absent = !folder.exists();
        if !(folder.is_dir() || is_absent && may_be_absent) {
            let found = format!(
                "{:?}, which is {}",
                folder.display().to_string(),
                if is_absent { "absent" } else { "not a folder" }
            );
            findings.push(loaded.finding(key, &found, "a folder"));
        }
    }
    if !findings.is_empty() {
        return findings;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    if let Err(error) = post::check(&loaded.config, &clock) {
        let key = if mail.templates.is_some() { "mail.templates" } else { "mail.smtp_host" };
        findings.push(loaded.finding(key, &format!("not usable: {}", chain(&error)), "a valid mail configuration"));
    }
    findings
}

/// An absent file is not an error: the first start creates it.
fn check_master_key(loaded: &Loaded, findings: &mut Vec<Mistake>) {
    let security = &loaded.config.security;
    if security.master_key.is_some() || security.master_key_command.is_some() {
        return;
    }
    let key = "security.master_key_file";
    if let Err(error) = MasterKey::find_in_file(&security.master_key_file) {
        let found = format!("not usable: {}", chain(&error.into()));
        findings.push(loaded.finding(key, &found, "a readable file, or a path where a file can be created"));
    }
    findings.extend(unwritable(loaded, key, &security.master_key_file));
}

/// A file that lines are appended to.
fn check_written(loaded: &Loaded, findings: &mut Vec<Mistake>) {
    let Some(path) = &loaded.config.audit.head_file else { return };
    findings.extend(unwritable(loaded, "audit.head_file", path));
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if parent.is_some_and(|parent| !parent.exists()) {
        let found = format!("{:?}, in a folder that does not exist", path.display().to_string());
        findings.push(loaded.finding("audit.head_file", &found, "a file in an existing folder"));
    }
}

fn check_database(loaded: &Loaded, findings: &mut Vec<Mistake>) {
    // Loaded settings are valid, so the options are those of the server.
    let Ok(options) = store_options(&loaded.config) else { return };
    if let Some(path) = options.sqlite_file() {
        findings.extend(unwritable(loaded, "database.url", path));
        return;
    }
    let database = &loaded.config.database;
    let listen_url = database.listen_url.as_ref().map(|url| ("database.listen_url", url));
    for (key, url) in [("database.url", &database.url)].into_iter().chain(listen_url) {
        let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
        for pair in parameters.split('&') {
            let Some(path) = URL_FILES.iter().find_map(|name| pair.strip_prefix(name)) else { continue };
            findings.extend(unreadable(loaded, key, Path::new(path)));
        }
    }
}

/// A line if a file that must exist cannot be read.
fn unreadable(loaded: &Loaded, key: &str, path: &Path) -> Option<Mistake> {
    let opened = std::fs::File::open(path).and_then(|file| file.metadata());
    let problem = match opened {
        Ok(metadata) if metadata.is_file() => return None,
        Ok(_) => "is not a file".to_owned(),
        Err(error) => format!("cannot be read: {error}"),
    };
    let found = format!("{:?}, which {problem}", path.display().to_string());
    Some(loaded.finding(key, &found, "a readable file"))
}

/// A line if a file cannot be created because its path is blocked.
fn unwritable(loaded: &Loaded, key: &str, path: &Path) -> Option<Mistake> {
    let obstacle: PathBuf = if path.is_dir() {
        path.to_owned()
    } else {
        let mut parents = path.ancestors().skip(1);
        parents.find(|parent| parent.exists()).filter(|parent| !parent.is_dir())?.to_owned()
    };
    let kind = if obstacle.is_dir() { "a folder" } else { "a file" };
    let found = format!("{:?}, where {:?} is {kind}", path.display().to_string(), obstacle.display().to_string());
    Some(loaded.finding(key, &found, "a file path"))
}
