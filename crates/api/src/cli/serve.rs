//! `denizen serve`.

use clap::Args;

use super::Globals;
use super::failure::Failure;
use crate::config::Overrides;

const EXAMPLES: &str = "\
Without configuration, the server stores its database in data/denizen.db, creates its master key in data/master.key
and listens on http://127.0.0.1:8080. On SIGINT (Ctrl-C) and SIGTERM it stops after the requests in progress are
complete; a second signal stops it immediately.

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
    crate::lifecycle::serve(loaded.config).await?;
    Ok(())
}

impl ServeArgs {
    fn overrides(self) -> Overrides {
        let mut overrides = Overrides::default();
        let no_migrate = self.no_migrate.then(|| "false".to_owned());
        for (key, value, flag) in [
            ("server.host", self.host, "--host"),
            ("server.port", self.port, "--port"),
            ("database.url", self.database_url, "--database-url"),
            ("database.migrate_on_start", no_migrate, "--no-migrate"),
        ] {
            if let Some(value) = value {
                overrides.push(key, value, flag);
            }
        }
        overrides
    }
}
