//! The database file and its settings.

use denizen_domain::store::Store;
use denizen_infra_sqlite::{SqliteOptions, SqliteStore, migrate, pending};
use denizen_testkit::build;
use tempfile::TempDir;

#[cfg(unix)]
#[tokio::test]
async fn files_are_made_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let folder = TempDir::new().unwrap();
    let options = SqliteOptions::new(folder.path().join("a/b/denizen.db"));
    migrate(&options).await.unwrap();
    let store = SqliteStore::open(&options).unwrap();
    let mut tx = store.write().await.unwrap();
    tx.insert_user(&build::user(1)).await.unwrap();
    tx.commit().await.unwrap();

    let mut names = Vec::new();
    for entry in std::fs::read_dir(options.path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["denizen.db", "denizen.db-shm", "denizen.db-wal", "denizen.db.lock"]);
}

#[tokio::test]
async fn asking_what_is_pending_makes_nothing() {
    let folder = TempDir::new().unwrap();
    let options = SqliteOptions::new(folder.path().join("a/denizen.db"));
    assert!(!pending(&options).await.unwrap().is_empty());
    assert!(!options.path.exists());
    assert!(!folder.path().join("a").exists());
}

#[tokio::test]
async fn a_commit_is_durable_and_a_read_does_not_wait_for_it() {
    let folder = TempDir::new().unwrap();
    let options = SqliteOptions::new(folder.path().join("denizen.db"));
    migrate(&options).await.unwrap();
    let store = SqliteStore::open(&options).unwrap();

    let mut tx = store.write().await.unwrap();
    tx.insert_user(&build::user(1)).await.unwrap();
    // The write transaction is open: readers of every kind answer all the same.
    let mut read = store.read().await.unwrap();
    assert_eq!(read.find_user(build::user(1).id).await.unwrap(), None);
    assert_eq!(read.find_user_by_email(&build::user(1).email).await.unwrap(), None);
    store.ping().await.unwrap();
    tx.commit().await.unwrap();
    assert!(read.find_user(build::user(1).id).await.unwrap().is_some());

    let journal: String = rusqlite::Connection::open(&options.path)
        .unwrap()
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(journal, "wal");
}
