//! Connecting, migrating and closing.

use std::time::Duration;

use anyhow::Context;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use domain::StoreError;

use crate::tls;

refinery::embed_migrations!("migrations");

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Instances that start at the same time migrate one after the other.
const LOCK: &str = "SELECT pg_advisory_lock(7160281)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(7160281)";

/// The database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Database(Pool);

impl Database {
    /// Connects to a database and migrates it.
    pub async fn open(url: &str, connections_max: u32) -> anyhow::Result<Self> {
        let config = url.parse().context("reading the database URL")?;
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, tls::connector()?, recycling);
        let pool = Pool::builder(manager)
            .max_size(usize::try_from(connections_max)?)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(ACQUIRE_TIMEOUT))
            .build()?;
        migrate(&pool).await?;
        Ok(Self(pool))
    }

    /// Closes the connections.
    #[expect(clippy::unused_async, reason = "the same signature as with other libraries")]
    pub async fn close(&self) {
        self.0.close();
    }

    pub(crate) async fn client(&self) -> Result<Object, StoreError> {
        self.0.get().await.map_err(StoreError::new)
    }
}

async fn migrate(pool: &Pool) -> anyhow::Result<()> {
    let mut client = pool.get().await.context("connecting to the database")?;
    client.batch_execute(LOCK).await?;
    let migrated = migrations::runner().run_async(&mut **client).await;
    client.batch_execute(UNLOCK).await?;
    migrated.context("migrating the database")?;
    Ok(())
}
