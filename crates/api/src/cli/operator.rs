//! Opens the configured database as the operator.

use std::io::{self, Write as _};
use std::sync::Arc;

use anyhow::anyhow;
use denizen_domain::Ctx;
use denizen_domain::access::{Actor, Origin};
use denizen_infra::stores::{Schema, StoreOptions};

use super::Globals;
use super::failure::{Failure, printable};
use crate::app::{Ambience, App, store_options};
use crate::config::Config;

/// What a command does with the database. No command applies migrations to a database that is in use; only
/// `denizen migrate` and `denizen serve` do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It reads: creates no database, no key and no file.
    Read,
    /// It changes what exists: the database must have been set up.
    Change,
    /// It creates something, and first the database if there is none yet.
    Create,
}

/// Opens the configured database. The caller closes the store.
pub(super) async fn open(globals: &Globals, config: &Config, access: Access) -> Result<Ctx, Failure> {
    require_schema(globals, config, access).await?;
    open_checked(config, access).await
}

/// The same after [`require_schema`].
pub(super) async fn open_checked(config: &Config, access: Access) -> Result<Ctx, Failure> {
    let app = match access {
        Access::Read => App::open_to_read(config).await?,
        Access::Change | Access::Create => App::open_in(config, Ambience::default()).await?,
    };
    Ok(Ctx::new(Arc::clone(&app.services), Actor::Operator, Origin::default()))
}

/// Names the configured database, and checks that its schema is what the command needs.
pub(super) async fn require_schema(
    globals: &Globals,
    config: &Config,
    access: Access,
) -> Result<StoreOptions, Failure> {
    let options = announce_database(globals, config)?;
    match options.schema().await.map_err(anyhow::Error::from)? {
        Schema::Current => {}
        Schema::Absent | Schema::Empty if access == Access::Create && config.database.migrate_on_start => {
            let migrated = options.migrate().await;
            migrated.map_err(|error| anyhow::Error::from(error).context("creating the tables"))?;
        }
        Schema::Absent => {
            return Err(anyhow!(
                "{options} does not exist. Correct database.url (a relative path starts at the working directory), or \
                 create the database with `denizen migrate` or by starting the server"
            )
            .into());
        }
        Schema::Empty => {
            return Err(anyhow!(
                "{options} has no tables. Correct database.url, or create the tables with `denizen migrate` or by \
                 starting the server"
            )
            .into());
        }
        Schema::Outdated { pending } => {
            return Err(anyhow!("{options} needs {pending} migrations: run `denizen migrate` first").into());
        }
    }
    Ok(options)
}

/// Prints which database the command works on to standard error, and returns its options.
pub(super) fn announce_database(globals: &Globals, config: &Config) -> Result<StoreOptions, Failure> {
    let options = store_options(config)?;
    if !globals.quiet {
        writeln!(io::stderr(), "Database: {}", printable(&options.to_string()))?;
    }
    Ok(options)
}
