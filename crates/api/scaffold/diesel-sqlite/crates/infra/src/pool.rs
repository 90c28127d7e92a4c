//! Opening, migrating and closing.

use std::time::Duration;

use anyhow::Context;
use deadpool::Runtime;
use diesel::connection::SimpleConnection;
use diesel::{Connection as _, ConnectionResult, SqliteConnection};
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use domain::StoreError;
use tokio::task::spawn_blocking;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Readers do not block the writer, and a second writer waits for five seconds.
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;";

pub(crate) type Connection = SyncConnectionWrapper<SqliteConnection>;

/// The database. Clones share its connections.
#[derive(Clone)]
pub struct Database(Pool<Connection>);

impl Database {
    /// Opens a database, creates it if it does not exist, and migrates it.
    pub async fn open(url: &str, connections_max: u32) -> anyhow::Result<Self> {
        let file = url.to_owned();
        spawn_blocking(move || migrate(&file)).await??;
        let mut config = ManagerConfig::default();
        config.custom_setup = Box::new(|url| Box::pin(connect(url.to_owned())));
        let manager = AsyncDieselConnectionManager::<Connection>::new_with_config(url, config);
        let pool = Pool::builder(manager)
            .max_size(usize::try_from(connections_max)?)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(ACQUIRE_TIMEOUT))
            .build()?;
        Ok(Self(pool))
    }

    /// Closes the connections.
    #[expect(clippy::unused_async, reason = "the same signature as with other libraries")]
    pub async fn close(&self) {
        self.0.close();
    }

    pub(crate) async fn connection(&self) -> Result<Object<Connection>, StoreError> {
        self.0.get().await.map_err(StoreError::new)
    }
}

fn migrate(url: &str) -> anyhow::Result<()> {
    let mut connection = SqliteConnection::establish(url).context("opening the database")?;
    connection.batch_execute(PRAGMAS)?;
    connection
        .run_pending_migrations(MIGRATIONS)
        .map_err(anyhow::Error::from_boxed)
        .context("migrating the database")?;
    Ok(())
}

async fn connect(url: String) -> ConnectionResult<Connection> {
    let mut connection = Connection::establish(&url).await?;
    connection.batch_execute(PRAGMAS).await.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}
