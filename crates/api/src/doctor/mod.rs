//! `denizen doctor`: examines everything that a server needs, and says what to do about what it finds.
//!
//! Reading order: this file (findings, and the order of the checks) → one file per subject.
//!
//! Invariants:
//! - Nothing is written, created or migrated. The only effect on others is the test mail that was asked for.
//! - A check that needs what another one found missing is left out.

mod backups;
mod database;
mod disk;
mod files;
mod keys;
mod mail;
mod network;
mod tls;

use denizen_domain::Ctx;
use denizen_domain::access::{Actor, Origin};
use denizen_domain::providers::manage;
use denizen_domain::users::EmailAddress;
use serde::Serialize;
use std::sync::Arc;

use crate::app::App;
use crate::cli::chain;
use crate::config::{ConfigErrors, Loaded};

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// As it should be.
    Ok,
    /// The server runs, and something is probably unintended or will fail.
    Warning,
    /// The server does not start, or something does not work.
    Error,
}

/// What a check found.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    /// The subject of the check.
    pub(crate) check: String,
    /// How serious it is.
    pub(crate) severity: Severity,
    /// What was found.
    pub(crate) message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

/// Everything that was found, in the order of the checks.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    /// What was found.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }

    /// How many findings are this serious.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|finding| finding.severity == severity).count()
    }

    fn ok(&mut self, check: impl Into<String>, message: impl Into<String>) {
        self.push(check, Severity::Ok, message, None);
    }

    fn warn(&mut self, check: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(check, Severity::Warning, message, Some(remedy.into()));
    }

    fn error(&mut self, check: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(check, Severity::Error, message, Some(remedy.into()));
    }

    fn push(
        &mut self,
        check: impl Into<String>,
        severity: Severity,
        message: impl Into<String>,
        remedy: Option<String>,
    ) {
        self.0.push(Finding { check: check.into(), severity, message: message.into(), remedy });
    }

    /// Whether a check found something that is not as it should be.
    fn has_problem(&self, check: &str) -> bool {
        self.0.iter().any(|finding| finding.check == check && finding.severity != Severity::Ok)
    }
}

/// A number of things, such as "1 error" and "2 errors".
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The findings if the configuration cannot be read: nothing else can be examined.
pub(crate) fn unreadable(errors: &ConfigErrors) -> Findings {
    let mut findings = Findings::default();
    for mistake in errors.iter() {
        findings.error("configuration", mistake.to_string(), "Correct the setting; the server does not start with it");
    }
    findings
}

/// Examines everything. Sends a test mail to an address, if there is one.
pub(crate) async fn examine(loaded: &Loaded, send_to: Option<&EmailAddress>) -> Findings {
    let mut findings = Findings::default();
    check_configuration(loaded, &mut findings);
    files::check(loaded, &mut findings);
    if let Some(store) = database::check(&loaded.config, &mut findings).await {
        let has_keys = keys::check_master_key(&loaded.config, store.as_ref(), &mut findings).await;
        store.close().await;
        if has_keys {
            check_services(loaded, &mut findings).await;
        }
    } else {
        keys::check_command(&loaded.config, &mut findings).await;
    }
    mail::check(loaded, send_to, &mut findings).await;
    backups::check(&loaded.config, &mut findings).await;
    tls::check(loaded, &mut findings).await;
    network::check(loaded, &mut findings);
    disk::check(&loaded.config, &mut findings);
    findings
}

fn check_configuration(loaded: &Loaded, findings: &mut Findings) {
    for mistake in loaded.review() {
        let line = mistake.to_string();
        if network::is_about_urls(&line) {
            findings.error("public_url", line, "Set an https URL at which a proxy or this server answers with TLS");
        } else {
            findings.warn("configuration", line, "Correct the setting, then run `denizen config check`");
        }
    }
    for mistake in &loaded.ignored {
        let remedy = "Rename it if the server should use it; leave it if another program does, such as Docker Compose";
        findings.warn("configuration", mistake.to_string(), remedy);
    }
    if !findings.has_problem("configuration") {
        let settings = loaded.entries.len();
        findings.ok("configuration", format!("{settings} settings are valid; APP_ENV is {}", loaded.app_env.name));
    }
}

/// Checks that need a server: signing keys, relying party and outside providers.
async fn check_services(loaded: &Loaded, findings: &mut Findings) {
    let app = match App::open_to_read(&loaded.config).await {
        Ok(app) => app,
        Err(error) => {
            findings.error("server", chain(&error), "Correct it; the server does not start");
            return;
        }
    };
    let ctx = Ctx::new(Arc::clone(&app.services), Actor::Operator, Origin::default());
    keys::check_signing_keys(&ctx, &loaded.config, findings).await;
    network::check_relying_party(&loaded.config, &app.services, findings).await;
    check_providers(&ctx, findings).await;
    app.services.store.close().await;
}

/// The tests of `denizen providers test`, for every enabled provider.
async fn check_providers(ctx: &Ctx, findings: &mut Findings) {
    let providers = match manage::list(ctx).await {
        Ok(providers) => providers,
        Err(error) => {
            findings.error("providers", chain(&error.into()), "Correct the settings of the provider");
            return;
        }
    };
    for provider in providers.into_iter().filter(|provider| provider.is_enabled) {
        let check = format!("provider {}", provider.name);
        match manage::test(ctx, &provider.name).await {
            Ok(tested) => {
                let failed: Vec<_> = tested.iter().filter(|found| !found.has_passed).collect();
                for found in &failed {
                    let remedy = format!(
                        "Users cannot sign in with it. After the correction: denizen providers test {}",
                        provider.name
                    );
                    findings.error(&check, format!("{}: {}", found.check, found.message), remedy);
                }
                if failed.is_empty() {
                    let names: Vec<&str> = tested.iter().map(|found| found.check).collect();
                    findings.ok(check, format!("passed: {}", names.join(", ")));
                }
            }
            Err(error) => findings.error(check, chain(&error.into()), "Correct the settings of the provider"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Overrides, Sources};

    /// A configuration with these settings, and the defaults.
    pub(super) fn config(settings: &[(&str, &str)]) -> Config {
        let mut flags = Overrides::default();
        for (key, value) in settings {
            flags.push(*key, *value, "test");
        }
        let sources = Sources { dir: "/nowhere".into(), config_dir: None, env_file: None, env: [].into() };
        Config::from_sources(&sources, &flags).unwrap().config
    }
}
