//! Opening, migrating and closing.

use std::time::Duration;

use anyhow::Context;
use sea_orm::{ConnectOptions, DatabaseConnection};
use sea_orm_migration::MigratorTrait;

use crate::migrations::Migrator;

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// The database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Database(DatabaseConnection);

impl Database {
    /// Opens a database, creates it if it does not exist, and migrates it.
    pub async fn open(url: &str, connections_max: u32) -> anyhow::Result<Self> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(connections_max).acquire_timeout(ACQUIRE_TIMEOUT).sqlx_logging(false);
        // The journal mode lets readers continue while there is a writer.
        options.map_sqlx_sqlite_opts(|options| options.create_if_missing(true).pragma("journal_mode", "WAL"));
        let connection = sea_orm::Database::connect(options).await.context("opening the database")?;
        Migrator::up(&connection, None).await.context("migrating the database")?;
        Ok(Self(connection))
    }

    /// Waits for the queries in progress, and closes the connections.
    pub async fn close(&self) {
        if let Err(error) = self.0.close_by_ref().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "closing the database failed");
        }
    }

    pub(crate) fn connection(&self) -> &DatabaseConnection {
        &self.0
    }
}
