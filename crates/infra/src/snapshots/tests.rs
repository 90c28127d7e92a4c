//! Snapshots and replication between the databases.

use std::io::Cursor;
use std::sync::Arc;

use denizen_domain::events::chain::ChainKey;
use denizen_domain::events::store::Erasure;
use denizen_domain::rows::{Cell, Put, Row, TABLES, Table};
use denizen_domain::store::Store;
use denizen_domain::time::Timestamp;
use denizen_testkit::build;
use denizen_testkit::postgres::PostgresDatabase;
use tempfile::TempDir;

use super::{Header, LogRows, SnapshotReader, digest, load, replicate, write};
use crate::root::RootKey;
use crate::stores::{StoreLimits, StoreOptions};
use crate::vault::MasterVault;

const LIMITS: StoreLimits =
    StoreLimits { max_connections: 4, min_connections: 0, acquire_timeout_s: 5, statement_timeout_s: 30 };

/// A migrated database of each kind.
struct Databases {
    sqlite: StoreOptions,
    postgres: StoreOptions,
    _folder: TempDir,
    _database: PostgresDatabase,
}

impl Databases {
    async fn create() -> Self {
        let (folder, database) = (TempDir::new().unwrap(), PostgresDatabase::create().await);
        let file = format!("sqlite://{}", folder.path().join("x.db").display());
        let sqlite = StoreOptions::parse(&file, LIMITS).unwrap();
        let postgres = StoreOptions::parse(database.url(), LIMITS).unwrap();
        sqlite.migrate().await.unwrap();
        postgres.migrate().await.unwrap();
        Self { sqlite, postgres, _folder: folder, _database: database }
    }

    /// Both directions.
    fn pairs(&self) -> [(&StoreOptions, &StoreOptions); 2] {
        [(&self.sqlite, &self.postgres), (&self.postgres, &self.sqlite)]
    }
}

async fn tables(options: &StoreOptions) -> Vec<Table> {
    options.row_reader(None).await.unwrap().tables().to_vec()
}

async fn digests(options: &StoreOptions) -> Vec<(String, super::TableDigest)> {
    let mut reader = options.row_reader(None).await.unwrap();
    let mut digests = Vec::new();
    for table in reader.tables().to_vec() {
        digests.push((table.name.clone(), digest(reader.as_mut(), &table).await.unwrap()));
    }
    digests
}

async fn add_users(options: &StoreOptions, numbers: std::ops::Range<u32>) {
    let store: Arc<dyn Store> = options.open().unwrap();
    let mut tx = store.write().await.unwrap();
    for number in numbers {
        tx.insert_user(&build::user(number)).await.unwrap();
    }
    tx.commit().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn both_databases_have_the_listed_tables_with_the_same_columns() {
    let databases = Databases::create().await;
    let (sqlite, postgres) = (tables(&databases.sqlite).await, tables(&databases.postgres).await);
    assert_eq!(sqlite, postgres);
    let names: Vec<_> = sqlite.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, TABLES.map(|(name, _)| name));
}

#[tokio::test]
async fn a_snapshot_of_one_database_makes_the_other_one_equal() {
    let databases = Databases::create().await;
    for (source, target) in databases.pairs() {
        if source.sqlite_file().is_some() {
            add_users(source, 1..4_500).await;
        }
        let mut reader = source.row_reader(None).await.unwrap();
        let header = Header::new(reader.as_ref(), "2026-11-30T00:00:00.000000Z".to_owned(), "0", "x");
        let (file, written) = write(reader.as_mut(), header, Vec::new(), &|_| {}).await.unwrap();
        assert_eq!(written.of("users"), 4_499);
        let snapshot = SnapshotReader::open(Cursor::new(file)).unwrap();
        let mut writer = target.row_writer().await.unwrap();
        let loaded = load(snapshot, writer.as_mut(), Timestamp::from_micros(0), &|_| {}).await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(loaded.contents, written);
        // Known devices of users are forgotten.
        let others = async |options| {
            let mut digests = digests(options).await;
            digests.retain(|(name, _)| name != "users");
            digests
        };
        assert_eq!(others(source).await, others(target).await);
    }
}

#[tokio::test]
async fn replication_finds_every_difference() {
    let databases = Databases::create().await;
    add_users(&databases.sqlite, 1..3_000).await;
    for (source, target) in databases.pairs() {
        let mut reader = source.row_reader(None).await.unwrap();
        replicate(reader.as_mut(), target, LogRows::New, &|_| {}).await.unwrap();
        drop(reader);
        assert_eq!(digests(source).await, digests(target).await);

        let users = tables(source).await.into_iter().find(|table| table.name == "users").unwrap();
        change(source, &users).await;
        let mut reader = source.row_reader(None).await.unwrap();
        let found = replicate(reader.as_mut(), target, LogRows::New, &|_| {}).await.unwrap();
        assert!(found.deleted == 1 && found.put + found.conflicts >= 3 && found.conflicts > 0, "{found:?}");
        // Two users exchanged their addresses: one of them is written by a later run.
        for _ in 0..3 {
            let mut reader = source.row_reader(None).await.unwrap();
            replicate(reader.as_mut(), target, LogRows::New, &|_| {}).await.unwrap();
        }
        let mut reader = source.row_reader(None).await.unwrap();
        assert!(replicate(reader.as_mut(), target, LogRows::New, &|_| {}).await.unwrap().is_none());
        assert_eq!(digests(source).await, digests(target).await);
    }
}

#[tokio::test]
async fn personal_data_that_was_erased_from_the_log_is_erased_from_the_target() {
    let databases = Databases::create().await;
    record_events(&databases.sqlite, 1..1_500).await;
    for ((source, target), position) in databases.pairs().into_iter().zip([700, 800]) {
        let run = async |log| {
            let mut reader = source.row_reader(None).await.unwrap();
            replicate(reader.as_mut(), target, log, &|_| {}).await.unwrap()
        };
        run(LogRows::New).await;
        erase_event(source, position).await;
        assert!(run(LogRows::New).await.is_none(), "only rows behind the last one are compared");
        assert_ne!(digests(source).await, digests(target).await);
        let found = run(LogRows::All).await;
        assert_eq!((found.put, found.deleted), (1, 0));
        assert_eq!(digests(source).await, digests(target).await);
    }
}

async fn record_events(options: &StoreOptions, numbers: std::ops::Range<u32>) {
    let store: Arc<dyn Store> = options.open().unwrap();
    store.key_log(ChainKey::derive(&MasterVault::new(&RootKey::from_bytes([7; 32]))));
    let mut tx = store.write().await.unwrap();
    for number in numbers {
        tx.record_event(build::event(number));
    }
    tx.commit().await.unwrap();
    store.seal_events().await.unwrap();
    store.close().await;
}

async fn erase_event(options: &StoreOptions, position: i64) {
    let store: Arc<dyn Store> = options.open().unwrap();
    let mut tx = store.write().await.unwrap();
    tx.erase_events(&[Erasure { position, origin: Some([position.to_le_bytes()[0]; 32]), data: None }]).await.unwrap();
    tx.commit().await.unwrap();
    store.close().await;
}

/// Deletes a user, exchanges the addresses of two, and renames one.
async fn change(options: &StoreOptions, users: &Table) {
    let rows = options.row_reader(None).await.unwrap().rows_after(users, None, 4).await.unwrap();
    let (email, name) = (users.column("email").unwrap(), users.column("name").unwrap());
    let mut writer = options.row_writer().await.unwrap();
    let [first, second, third, fourth]: [Row; 4] = rows.try_into().unwrap();
    writer.delete(users, vec![users.key(&first).to_vec()]).await.unwrap();
    let (mut one, mut other, mut renamed) = (second.clone(), third.clone(), fourth);
    let freed = Cell::Text("nobody@example.com".to_owned());
    let vacated = vec![{
        let mut row = second.clone();
        row[email] = freed;
        row
    }];
    assert_eq!(writer.put(users, vacated).await.unwrap(), Put::Written);
    std::mem::swap(&mut one[email], &mut other[email]);
    renamed[name] = Cell::Text("Zoë \\ \t \"quoted\" \u{1F600}".to_owned());
    assert_eq!(writer.put(users, vec![other]).await.unwrap(), Put::Written);
    assert_eq!(writer.put(users, vec![one, renamed]).await.unwrap(), Put::Written);
    // Rows that refer to those users.
    let passwords =
        Table::new("passwords", vec!["user_id".to_owned()], vec!["hash".to_owned(), "changed_at".to_owned()]);
    let password = |user: &Row| vec![user[0].clone(), Cell::Integer(1), Cell::Text("x".to_owned())];
    let of_users = vec![password(&second), password(&third)];
    assert_eq!(writer.put(&passwords.unwrap(), of_users).await.unwrap(), Put::Written);
    writer.commit().await.unwrap();
}

#[tokio::test]
async fn a_lock_keeps_writers_out_and_lets_readers_in() {
    let databases = Databases::create().await;
    for options in [&databases.sqlite, &databases.postgres] {
        let lock = options.lock_writes().await.unwrap();
        let mut reader = options.row_reader(None).await.unwrap();
        let table = reader.tables()[0].clone();
        assert_eq!(reader.count(&table).await.unwrap(), 0);
        let waiting = add_users(options, 1..2);
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(300), &mut waiting).await.is_err());
        drop(lock);
        waiting.await;
    }
}
