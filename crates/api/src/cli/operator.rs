//! Opens the configured database as the operator.

use std::sync::Arc;

use denizen_domain::Ctx;
use denizen_domain::access::{Actor, Origin};

use super::failure::Failure;
use crate::app::{Ambience, App};
use crate::config::Config;

/// Opens the configured database and applies migrations. The caller closes the store.
pub(super) async fn open(config: &Config) -> Result<Ctx, Failure> {
    migrate(config).await?;
    let app = App::open_in(config, Ambience::default()).await?;
    Ok(Ctx::new(Arc::clone(&app.services), Actor::Operator, Origin::default()))
}

/// Migrates the configured database, as `denizen serve` does, unless `database.migrate_on_start` is false.
pub(super) async fn migrate(config: &Config) -> Result<(), Failure> {
    if config.database.migrate_on_start {
        let migrated = crate::app::store_options(config)?.migrate().await;
        migrated.map_err(|error| anyhow::Error::from(error).context("migrating the database"))?;
    }
    Ok(())
}
