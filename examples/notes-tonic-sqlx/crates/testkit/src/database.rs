//! A database on a PostgreSQL server.

use std::thread;

use tokio::runtime;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// The server of the tests: a URL whose user can create databases.
const SERVER_VARIABLE: &str = "TEST_DATABASE_URL";
const SERVER_DEFAULT: &str = "postgres://postgres:postgres@127.0.0.1:5432/postgres";

/// A server that does not exist.
pub const UNUSABLE_URL: &str = "postgres://127.0.0.1:1/test";

/// A database for one test, removed when dropped.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    name: String,
}

impl TestDatabase {
    /// An empty database with a name of its own.
    pub async fn create() -> Self {
        let name = format!("test_{}", Uuid::now_v7().simple());
        execute(&format!("CREATE DATABASE {name}")).await;
        let server = server();
        let (server, _) = server.rsplit_once('/').expect("the URL of the server names a database");
        Self { url: format!("{server}/{name}"), name }
    }

    /// The URL of the database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        // A runtime of its own: that of the test cannot be blocked.
        let removed = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
            runtime.block_on(execute(&statement));
        })
        .join();
        assert!(removed.is_ok() || thread::panicking(), "the database {} was not removed", self.name);
    }
}

fn server() -> String {
    std::env::var(SERVER_VARIABLE).unwrap_or_else(|_| SERVER_DEFAULT.to_owned())
}

async fn execute(statement: &str) {
    let client = connect().await;
    client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn connect() -> Client {
    let server = server();
    let connected = tokio_postgres::connect(&server, NoTls).await;
    let (client, connection) = connected.unwrap_or_else(|error| {
        panic!("{error}: start PostgreSQL (docker compose up -d postgres), or set {SERVER_VARIABLE}")
    });
    tokio::spawn(connection);
    client
}
