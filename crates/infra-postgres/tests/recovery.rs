//! What happens while the database is away, slow, or back again.

use denizen_domain::store::{Store, StoreError};
use denizen_infra_postgres::{PostgresOptions, PostgresStore, migrate};
use denizen_testkit::build;
use denizen_testkit::postgres::PostgresDatabase;
use sqlx::{Connection, Executor, PgConnection};

async fn migrated() -> (PostgresDatabase, PostgresOptions) {
    let database = PostgresDatabase::create().await;
    let options = PostgresOptions::new(database.url());
    migrate(&options).await.expect("a new database is migrated");
    (database, options)
}

#[tokio::test]
async fn a_database_that_is_away_is_unavailable() {
    // A port that nobody listens on: bound, never listened to, and kept.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("postgres://denizen@{}/denizen", socket.local_addr().unwrap());
    let options = PostgresOptions { acquire_timeout_s: 1, ..PostgresOptions::new(url) };

    let store = PostgresStore::open(&options).unwrap();
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.write().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(migrate(&options).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn connections_that_were_cut_are_replaced() {
    let (database, options) = migrated().await;
    let store = PostgresStore::open(&PostgresOptions { max_connections: 4, ..options }).unwrap();
    // Every connection, all idle afterwards.
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(store.snapshot().await.unwrap());
    }
    drop(open);
    store.ping().await.unwrap();

    let mut killer = PgConnection::connect(database.url()).await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    killer.execute(cut).await.unwrap();

    let mut failures = 0;
    while let Err(error) = store.ping().await {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        failures += 1;
        assert!(failures <= 4, "each cut connection fails once at most");
    }
    for _ in 0..4 {
        store.ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_statement_has_its_time() {
    let (_database, options) = migrated().await;
    let store = PostgresStore::open(&PostgresOptions { statement_timeout_s: 1, ..options }).unwrap();
    let user = build::user(1);
    let mut tx = store.write().await.unwrap();
    tx.insert_user(&user).await.unwrap();
    tx.commit().await.unwrap();

    let mut first = store.write().await.unwrap();
    first.lock_user(user.id).await.unwrap();
    let mut second = store.write().await.unwrap();
    assert!(matches!(second.lock_user(user.id).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_malformed_url_is_refused_without_being_quoted() {
    let error = PostgresOptions::new("postgres://user:hunter2@host:not-a-port/x").check().unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}
