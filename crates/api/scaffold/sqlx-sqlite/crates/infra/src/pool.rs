//! Opening, migrating and closing.

use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// The database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Database(SqlitePool);

impl Database {
    /// Opens a database, creates it if it does not exist, and migrates it.
    pub async fn open(url: &str, connections_max: u32) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::from_str(url)
            .context("reading the database URL")?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let pool = SqlitePoolOptions::new()
            .max_connections(connections_max)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .context("opening the database")?;
        sqlx::migrate!().run(&pool).await.context("migrating the database")?;
        Ok(Self(pool))
    }

    /// Waits for the queries in progress, and closes the connections.
    pub async fn close(&self) {
        self.0.close().await;
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.0
    }
}
