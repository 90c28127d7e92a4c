//! Connecting, migrating and closing.

use std::time::Duration;

use anyhow::Context;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// The database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Database(PgPool);

impl Database {
    /// Connects to a database and migrates it.
    pub async fn open(url: &str, connections_max: u32) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(connections_max)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect(url)
            .await
            .context("connecting to the database")?;
        sqlx::migrate!().run(&pool).await.context("migrating the database")?;
        Ok(Self(pool))
    }

    /// Waits for the queries in progress, and closes the connections.
    pub async fn close(&self) {
        self.0.close().await;
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.0
    }
}
