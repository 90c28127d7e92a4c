//! The settings of a server inside an application, and its start.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use denizen_domain::ports::{Clock, Random};
use tokio_util::task::TaskTracker;

use super::Denizen;
use super::hooks::{Hooks, Runner};
use super::mount::MountPath;
use crate::app::{Ambience, App, store_options};
use crate::config::{Config, ConfigErrors, Overrides};

/// The source of settings made in code, in error messages.
const SOURCE: &str = "Builder::set";
/// How long a hook may take, unless the application sets it.
const HOOK_TIME_LIMIT: Duration = Duration::from_secs(2);

/// Settings for a [`Denizen`].
///
/// Without any, the configuration is that of the binary: `config/default.toml`, its overlay and `.env` in the working
/// directory, and `DENIZEN__…` in the environment. Settings made here take precedence over all of them.
#[derive(Default)]
#[must_use]
pub struct Builder {
    config: Option<Config>,
    settings: Overrides,
    mount_path: Option<String>,
    ambience: Ambience,
    hooks: Option<MakeHooks>,
    hook_time_limit: Option<Duration>,
}

/// Makes the hooks when the time limit and the tracker of their tasks are known.
type MakeHooks = Box<dyn FnOnce(Duration, TaskTracker) -> Arc<dyn denizen_domain::hooks::Hooks> + Send>;

impl Builder {
    /// Uses this configuration instead of files and environment. [`Self::set`], [`Self::database`] and
    /// [`Self::public_url`] cannot be combined with it.
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Sets a configuration key, such as `signup.mode`, in the syntax of environment variables. `docs/configuration.md` and
    /// `.env.example` list the keys.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push(key, value, SOURCE);
        self
    }

    /// Sets `database.url`: `sqlite://data/denizen.db` or `postgres://user:password@host/name`.
    pub fn database(self, url: impl Into<String>) -> Self {
        self.set("database.url", url)
    }

    /// Sets `server.public_url`, the URL at which clients reach the server, without a trailing slash. It is the issuer of
    /// tokens and the base of mailed links. Its path is the prefix of all links; see [`Self::mount_path`].
    pub fn public_url(self, url: impl Into<String>) -> Self {
        self.set("server.public_url", url)
    }

    /// Puts the routes under a path such as `/auth`, and adds it to `server.public_url` unless that already ends with it.
    /// Not needed for `Router::nest("/auth", …)` with a public URL that has this path.
    pub fn mount_path(mut self, path: impl Into<String>) -> Self {
        self.mount_path = Some(path.into());
        self
    }

    /// Calls these hooks before and after sign-up, sign-in and deletion. A second call replaces them.
    pub fn hooks(mut self, hooks: impl Hooks) -> Self {
        self.hooks = Some(Box::new(|time_limit, tasks| Arc::new(Runner::new(hooks, time_limit, tasks))));
        self
    }

    /// How long a hook may take. Default: two seconds.
    pub fn hook_time_limit(mut self, limit: Duration) -> Self {
        self.hook_time_limit = Some(limit);
        self
    }

    /// Uses another clock, in tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.ambience.clock = clock;
        self
    }

    /// Uses another source of randomness, in tests.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.ambience.random = random;
        self
    }

    /// Migrates the database, unless `database.migrate_on_start` is `false`, opens it, and starts the background tasks.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`BuildError::Config`] if a setting is invalid; [`BuildError::Start`] if another server uses the SQLite file, the
    /// database does not answer, the master key does not match it, or passkeys would stop working.
    pub async fn build(self) -> Result<Denizen, BuildError> {
        let mount_path = match &self.mount_path {
            Some(raw) => Some(MountPath::parse(raw).ok_or_else(|| BuildError::MountPath(raw.clone()))?),
            None => None,
        };
        let mut config = match self.config {
            Some(_) if !self.settings.0.is_empty() => return Err(BuildError::TwoSources),
            Some(config) => config,
            None => Config::load(&self.settings).map_err(BuildError::Config)?.config,
        };
        if let Some(path) = &mount_path {
            config.server.public_url = Some(path.below(&config.server.public_url()));
        }
        let tasks = TaskTracker::new();
        let time_limit = self.hook_time_limit.unwrap_or(HOOK_TIME_LIMIT);
        let hooks = self.hooks.map(|make| make(time_limit, tasks.clone()));
        let app = open(&config, self.ambience, hooks).await.map_err(BuildError::start)?;
        Ok(Denizen::start(app, mount_path, (config.limits, config.server), tasks))
    }
}

async fn open(
    config: &Config,
    ambience: Ambience,
    hooks: Option<Arc<dyn denizen_domain::hooks::Hooks>>,
) -> anyhow::Result<App> {
    let store = store_options(config)?;
    // Before the migrations: a second server must not change the schema of the first.
    let claim = store.claim()?;
    store.check_sessions().await.context("connecting to the database")?;
    if config.database.migrate_on_start {
        store.migrate().await.context("migrating the database")?;
    }
    App::open_embedded(config, claim, ambience, hooks).await
}

/// Why a server inside an application does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Settings are invalid; one line for each.
    #[error(transparent)]
    Config(ConfigErrors),
    /// [`Builder::config`] is combined with single settings.
    #[error("a complete configuration and single settings are both given; set the keys in the configuration instead")]
    TwoSources,
    /// [`Builder::mount_path`] has another form.
    #[error("the mount path {0:?} is not valid; expected a path such as /auth, without a trailing slash")]
    MountPath(String),
    /// The server cannot start. The message includes the cause.
    #[error("{0:#}")]
    Start(anyhow::Error),
}

impl BuildError {
    pub(super) fn start(error: anyhow::Error) -> Self {
        Self::Start(error)
    }
}
