//! What the store makes of rows that this release does not write.

use denizen_domain::page::Page;
use denizen_domain::sessions::Session;
use denizen_domain::store::{Store, StoreError};
use denizen_infra_sqlite::{SqliteOptions, SqliteStore, migrate};
use denizen_testkit::build;
use rusqlite::Connection;
use tempfile::TempDir;

#[tokio::test]
async fn a_session_of_the_release_before_was_last_used_when_it_was_refreshed() {
    let folder = TempDir::new().unwrap();
    let (store, file) = open(&folder).await;
    let user = build::user(1);
    let session = Session { refreshed_at: build::moment(5), ..build::session(&user, 1) };
    let mut tx = store.write().await.unwrap();
    assert!(tx.insert_user(&user).await.unwrap());
    tx.insert_session(&session).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(file.execute("UPDATE sessions SET last_used_at = NULL", []).unwrap(), 1);

    for (second, expected) in [(4, 5), (6, 6)] {
        let mut tx = store.write().await.unwrap();
        tx.touch_sessions(&[(session.id, build::moment(second))]).await.unwrap();
        tx.commit().await.unwrap();
        let page = Page::new(None, None, None).unwrap();
        let listed = store.read().await.unwrap().list_sessions(user.id, build::moment(9), page).await.unwrap();
        assert_eq!(listed, [Session { last_used_at: build::moment(expected), ..session.clone() }]);
    }
}

#[tokio::test]
async fn a_key_of_the_release_before_signs_at_once() {
    let folder = TempDir::new().unwrap();
    let (store, file) = open(&folder).await;
    insert_key(&file, "ES256");
    let keys = store.read().await.unwrap().signing_keys().await.unwrap();
    assert_eq!((keys.len(), keys[0].activates_at.as_micros(), keys[0].withdrawn_at), (1, 0, None));
}

#[tokio::test]
async fn a_key_of_an_unknown_algorithm_is_broken() {
    let folder = TempDir::new().unwrap();
    let (store, file) = open(&folder).await;
    insert_key(&file, "none");
    assert!(matches!(store.read().await.unwrap().signing_keys().await, Err(StoreError::Broken(_))));
}

async fn open(folder: &TempDir) -> (SqliteStore, Connection) {
    let options = SqliteOptions::new(folder.path().join("denizen.db"));
    migrate(&options).await.expect("a new file is migrated");
    let store = SqliteStore::open(&options).expect("the store is opened");
    (store, Connection::open(&options.path).expect("the file is opened"))
}

/// Adds a signing key in the words of the release before.
fn insert_key(file: &Connection, algorithm: &str) {
    let sql = "INSERT INTO signing_keys (id, sequence, algorithm, public_key, sealed_private_key, created_at)
        VALUES ('key', 1, ?1, x'04', x'00', 5)";
    assert_eq!(file.execute(sql, [algorithm]).expect("a key is added"), 1);
}
