//! `denizen serve`.

use clap::Args;

use super::Globals;
use super::failure::Failure;
use crate::config::Overrides;

const EXAMPLES: &str = "\
Without configuration, the server stores its database in data/denizen.db, creates its master key in data/master.key
and listens on http://127.0.0.1:8080. On SIGINT (Ctrl-C) and SIGTERM it stops after the requests in progress are
complete; a second signal stops it immediately. On SIGHUP it reads telemetry.log_filter again.

Examples:
  denizen serve
  denizen serve --host 0.0.0.0 --port 9000
  DENIZEN__DATABASE__URL=postgres://denizen@db/denizen denizen serve --no-migrate";

/// Options of `serve`; everything else is configuration.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeArgs {
    /// The address to listen on (server.host).
    #[arg(long)]
    host: Option<String>,
    /// The port to listen on (server.port).
    #[arg(long)]
    port: Option<String>,
    /// The database (database.url). A password in the URL is visible in the process list.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Does not apply pending migrations on start.
    #[arg(long)]
    no_migrate: bool,
}

pub(super) async fn run(globals: &Globals, args: ServeArgs) -> Result<(), Failure> {
    let loaded = globals.load(args.overrides())?;
    // Kept to the end: what is queued is written when it is dropped.
    let _log = crate::telemetry::init(&loaded.config.telemetry)?;
    for finding in loaded.review().iter().chain(&loaded.ignored) {
        tracing::warn!("{finding}");
    }
    tokio::select! {
        served = crate::lifecycle::serve(loaded.config) => served?,
        () = follow_hangups(globals, &args) => {}
    }
    Ok(())
}

/// Reads the configuration again on SIGHUP, and sets the log filter. Other keys apply after a restart.
async fn follow_hangups(globals: &Globals, args: &ServeArgs) {
    #[cfg(unix)]
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) {
        Ok(mut hangups) => {
            while hangups.recv().await.is_some() {
                reload(globals, args);
            }
        }
        Err(error) => tracing::warn!(%error, "cannot handle SIGHUP"),
    }
    std::future::pending::<()>().await;
}

#[cfg(unix)]
fn reload(globals: &Globals, args: &ServeArgs) {
    let loaded = match globals.load(args.overrides()) {
        Ok(loaded) => loaded,
        Err(failure) => {
            let mistakes = match failure {
                Failure::Config(mistakes) => mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
                Failure::Failed(error) => format!("{error:#}"),
                Failure::Usage(line) => line,
                Failure::Document(lines) | Failure::Incomplete(lines) => lines.join("; "),
                Failure::Arguments(..) | Failure::Differs | Failure::ReaderGone => String::new(),
            };
            tracing::warn!(mistakes, "SIGHUP: the configuration is invalid, the log filter is unchanged");
            return;
        }
    };
    let filter = &loaded.config.telemetry.log_filter;
    match crate::telemetry::set_log_filter(filter) {
        Ok(()) => tracing::warn!(filter, "SIGHUP: the log filter was set; other settings apply after a restart"),
        Err(error) => tracing::warn!("SIGHUP: the log filter is unchanged: {error:#}"),
    }
}

impl ServeArgs {
    fn overrides(&self) -> Overrides {
        let mut overrides = Overrides::default();
        let no_migrate = self.no_migrate.then(|| "false".to_owned());
        for (key, value, flag) in [
            ("server.host", self.host.clone(), "--host"),
            ("server.port", self.port.clone(), "--port"),
            ("database.url", self.database_url.clone(), "--database-url"),
            ("database.migrate_on_start", no_migrate, "--no-migrate"),
        ] {
            if let Some(value) = value {
                overrides.push(key, value, flag);
            }
        }
        overrides
    }
}
