//! A PostgreSQL database of its own for a test.

use std::hash::{BuildHasher, RandomState};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// The environment variable that names the server of the tests.
pub const URL_VAR: &str = "DENIZEN_TEST_POSTGRES_URL";

/// A new, empty database on the server at [`URL_VAR`], gone when it is dropped.
#[derive(Debug)]
pub struct PostgresDatabase {
    server: String,
    name: String,
    url: String,
}

impl PostgresDatabase {
    /// Creates a database under a name that nobody else has.
    ///
    /// # Panics
    /// When [`URL_VAR`] is not set, or the server there refuses.
    pub async fn create() -> Self {
        let Ok(server) = std::env::var(URL_VAR) else {
            panic!("{URL_VAR} is not set: run `make test`, which starts a PostgreSQL for the tests");
        };
        // Chance that must not repeat: two test processes may use one server.
        let name = format!("denizen_test_{:016x}", RandomState::new().hash_one(std::process::id()));
        let (authority, _) = server.rsplit_once('/').expect("the URL names a database after its last slash");
        let url = format!("{authority}/{name}");
        execute(&server, format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))
            .await
            .expect("the server makes a database");
        Self { server, name, url }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The texts that a query of one column finds: what somebody with the database in their hands would read.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        let mut connection = PgConnection::connect(&self.url).await.expect("the database is there");
        sqlx::query_scalar(sql).fetch_all(&mut connection).await.expect("the query finds texts")
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A thread of its own: within a runtime nothing can be waited for, and a panic must clean up too.
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let removed = runtime.block_on(execute(&server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
            removed.map_err(std::io::Error::other)
        });
        if !matches!(removal.join(), Ok(Ok(()))) {
            eprintln!("the test database {} is left behind", self.name);
        }
    }
}

async fn execute(server: &str, sql: String) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(server).await?;
    connection.execute(AssertSqlSafe(sql)).await?;
    connection.close().await
}
