//! Comparing the database with files while the server runs.

use std::fmt::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use denizen_domain::access::{Actor, Origin};
use denizen_domain::drift::{Comparison, DriftLog};
use denizen_domain::{Ctx, Services};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::document::{Document, Fault};
use super::kind::Secrets;
use super::plan::{Options, plan};
use crate::config::Apply;

/// How many faults of the files a log line names.
const FAULTS_MAX: usize = 20;

/// Which files the database is compared with, and how often.
pub(crate) struct DriftCheck {
    files: Vec<PathBuf>,
    period: Duration,
    log: Mutex<DriftLog>,
}

/// Why a comparison failed.
#[derive(Debug)]
pub(crate) enum DriftError {
    /// The files are invalid.
    Files(Vec<String>),
    /// The database or the background task failed.
    Failed(anyhow::Error),
}

impl fmt::Display for DriftError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(faults) => f.write_str(&faults.join("; ")),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DriftError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Files(_) => None,
            Self::Failed(error) => error.source(),
        }
    }
}

impl DriftCheck {
    /// The configured comparison; `None` if there is none.
    pub(crate) fn new(config: &Apply) -> Option<Self> {
        let is_on = config.check_interval_min > 0 && !config.files.is_empty();
        is_on.then(|| Self {
            files: config.files.clone(),
            period: Duration::from_secs(u64::from(config.check_interval_min) * 60),
            log: Mutex::default(),
        })
    }

    /// The time between two comparisons.
    pub(crate) fn period(&self) -> Duration {
        self.period
    }

    /// Compares once, and records an event if the differences are others than the last event says.
    pub(crate) async fn run(&self, services: &Arc<Services>) -> Result<(), DriftError> {
        let found = self.compare(services).await?;
        let mut log = self.log.lock().await;
        let is_new = log.note(services, &found).await.map_err(|error| DriftError::Failed(error.into()))?;
        tracing::debug!(differences = found.resources.len(), "compared the database with the files of apply.files");
        match (is_new, found.resources.is_empty()) {
            (false, _) => {}
            (true, true) => tracing::info!("the database agrees with the files of apply.files again"),
            (true, false) => {
                let resources = denizen_domain::drift::named(&found.resources).join(", ");
                tracing::warn!(resources, "the database differs from the files of apply.files");
            }
        }
        Ok(())
    }

    async fn compare(&self, services: &Arc<Services>) -> Result<Comparison, DriftError> {
        let files = self.files.clone();
        let document = spawn_blocking(move || Document::load(&files)).await;
        let document =
            document.map_err(|error| DriftError::Failed(error.into()))?.map_err(|faults| invalid(&faults))?;
        let ctx = Ctx::new(Arc::clone(services), Actor::System, Origin::default());
        // What the files do not have is not drift: they may manage a part of the database alone.
        let options = Options { is_pruning: false, secrets: Secrets::IfPresent };
        let planned = plan(&ctx, &document, options).await.map_err(|error| DriftError::Failed(error.into()))?;
        let planned = planned.map_err(|faults| invalid(&faults))?;
        let mut found = Comparison::default();
        for step in &planned.steps {
            let changes = serde_json::to_string(&step.changes).map_err(|error| DriftError::Failed(error.into()))?;
            // Writing to a string cannot fail.
            let _ = writeln!(found.details, "{} {changes}", step.public_name);
            found.resources.push(step.public_name.clone());
        }
        Ok(found)
    }
}

fn invalid(faults: &[Fault]) -> DriftError {
    let mut lines: Vec<String> =
        faults.iter().take(FAULTS_MAX).map(|fault| without_paths(&fault.to_string())).collect();
    if faults.len() > FAULTS_MAX {
        lines.push(format!("and {} more", faults.len() - FAULTS_MAX));
    }
    DriftError::Files(lines)
}

/// A text for the log, without the paths of URLs: that of a webhook can contain a secret.
fn without_paths(text: &str) -> String {
    let mut words = Vec::new();
    for word in text.split(' ') {
        let path = word.find("://").and_then(|at| word[at + 3..].find('/').map(|slash| at + 3 + slash));
        words.push(path.map_or_else(|| word.to_owned(), |path| format!("{}/…", &word[..path])));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::without_paths;

    #[test]
    fn paths_of_urls_are_removed() {
        let text = "a.yaml:1:2: webhook https://hooks.example.com/services/SECRET: types: unknown";
        assert_eq!(without_paths(text), "a.yaml:1:2: webhook https://hooks.example.com/… types: unknown");
        assert_eq!(without_paths("at /etc/a.yaml, https://example.com"), "at /etc/a.yaml, https://example.com");
    }
}
