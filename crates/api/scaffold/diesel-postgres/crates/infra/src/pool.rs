//! Connecting, migrating and closing.

use std::time::Duration;

use anyhow::Context;
use deadpool::Runtime;
use diesel::{Connection as _, ConnectionError, ConnectionResult};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use domain::StoreError;
use tokio::task::spawn_blocking;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Instances that start at the same time migrate one after the other.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7160281)";

/// The database. Clones share its connections.
#[derive(Clone)]
pub struct Database(Pool<AsyncPgConnection>);

impl Database {
    /// Connects to a database and migrates it.
    pub async fn open(url: &str, connections_max: u32) -> anyhow::Result<Self> {
        let tls = tls::connector()?;
        let connection = connect(url.to_owned(), tls.clone()).await.context("connecting to the database")?;
        spawn_blocking(|| migrate(connection)).await?.context("migrating the database")?;
        let mut config = ManagerConfig::default();
        config.custom_setup = Box::new(move |url| Box::pin(connect(url.to_owned(), tls.clone())));
        let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new_with_config(url, config);
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

    pub(crate) async fn connection(&self) -> Result<Object<AsyncPgConnection>, StoreError> {
        self.0.get().await.map_err(StoreError::new)
    }
}

async fn connect(url: String, tls: MakeRustlsConnect) -> ConnectionResult<AsyncPgConnection> {
    let connected = tokio_postgres::connect(&url, tls).await;
    let (client, connection) = connected.map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}

/// Runs on a thread that can be blocked: Diesel's migrations are synchronous.
fn migrate(connection: AsyncPgConnection) -> anyhow::Result<()> {
    let mut connection: AsyncConnectionWrapper<AsyncPgConnection> = connection.into();
    connection.transaction(|connection| {
        diesel::RunQueryDsl::execute(diesel::sql_query(LOCK), connection)?;
        connection.run_pending_migrations(MIGRATIONS).map_err(anyhow::Error::from_boxed)?;
        Ok(())
    })
}
