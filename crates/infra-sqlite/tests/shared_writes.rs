//! Writes that share a transaction and its commit.

use std::sync::Arc;
use std::time::Duration;

use denizen_domain::store::{Store, StoreError, WriteTx};
use denizen_domain::users::User;
use denizen_infra_sqlite::{SqliteOptions, SqliteStore, migrate};
use denizen_testkit::build;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::task::JoinSet;

async fn open(folder: &TempDir) -> Arc<SqliteStore> {
    let options = SqliteOptions::new(folder.path().join("denizen.db"));
    migrate(&options).await.expect("a new file is migrated");
    Arc::new(SqliteStore::open(&options).expect("the store is opened"))
}

fn file(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join("denizen.db")).expect("the file is opened")
}

async fn insert(store: &SqliteStore, n: u32) -> Result<(), StoreError> {
    let mut tx = store.write().await?;
    tx.insert_user(&build::user(n)).await?;
    tx.commit().await
}

async fn is_there(store: &SqliteStore, n: u32) -> bool {
    let mut read = store.read().await.expect("a handle to read");
    read.find_user(build::user(n).id).await.expect("the read is answered").is_some()
}

/// Every third write is dropped in the middle, every seventh while it waits for its turn or its commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_write_is_kept_or_undone_alone() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    let mut writes = JoinSet::new();
    for n in 0..300 {
        let store = Arc::clone(&store);
        writes.spawn(async move {
            if n % 3 == 0 {
                let mut tx = store.write().await.unwrap();
                assert!(tx.insert_user(&build::user(n)).await.unwrap());
                return (n, None);
            }
            if n % 7 == 0 {
                let _ = tokio::time::timeout(Duration::from_micros(u64::from(n) * 10), insert(&store, n)).await;
                return (n, None);
            }
            (n, Some(insert(&store, n).await))
        });
    }
    let outcomes = writes.join_all().await;
    for (n, outcome) in outcomes {
        match outcome {
            Some(outcome) => {
                outcome.unwrap();
                assert!(is_there(&store, n).await, "{n} was acknowledged");
            }
            None if n % 3 == 0 => assert!(!is_there(&store, n).await, "{n} was dropped"),
            None => {}
        }
    }
    // Nothing is left open: another process can write.
    let file = file(&folder);
    file.execute("UPDATE users SET version = version + 1", []).unwrap();
}

#[tokio::test]
async fn a_write_that_fails_leaves_those_beside_it() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    file(&folder)
        .execute_batch(
            "CREATE TRIGGER refuses BEFORE INSERT ON users WHEN NEW.version = 7
             BEGIN SELECT RAISE(ABORT, 'refused'); END",
        )
        .unwrap();
    let refused = async {
        let mut tx = store.write().await.unwrap();
        assert!(tx.insert_user(&build::user(1)).await.unwrap());
        tx.insert_user(&refused()).await.map(drop)
    };
    let (before, refused, after) = tokio::join!(insert(&store, 3), refused, insert(&store, 4));
    assert!(matches!(refused, Err(StoreError::Broken(_))), "{refused:?}");
    before.unwrap();
    after.unwrap();
    for (n, expected) in [(1, false), (2, false), (3, true), (4, true)] {
        assert_eq!(is_there(&store, n).await, expected, "{n}");
    }
}

/// Whether a write that comes before the one that fails, in the same transaction, fails with it. They share it unless the first
/// took too long, so it is tried until they do.
#[expect(clippy::unwrap_used, reason = "a test's assertions")]
async fn first_fails_too(store: &SqliteStore, failing: impl AsyncFn(Box<dyn WriteTx>) -> Result<(), StoreError>) {
    for n in 10..1_000 {
        let mut first = store.write().await.unwrap();
        first.insert_user(&build::user(n)).await.unwrap();
        // The second waits for its turn when the first commits.
        let second = async { failing(store.write().await?).await };
        let (second, first) = tokio::join!(biased; second, first.commit());
        assert!(matches!(second, Err(StoreError::Unavailable(_))), "{second:?}");
        assert_eq!(is_there(store, n).await, first.is_ok(), "{first:?}");
        assert!(!is_there(store, 2).await, "the second failed");
        if let Err(error) = first {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
            insert(store, 4).await.unwrap();
            store.ping().await.unwrap();
            return;
        }
    }
    panic!("two writes never shared a transaction");
}

/// From now on a commit with the user that is [`refused`] fails: a foreign key is checked with it.
fn refuse_commits_with(folder: &TempDir) {
    let sql = "CREATE TABLE kept (of BLOB REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER refers AFTER INSERT ON users WHEN NEW.version = 7
        BEGIN INSERT INTO kept VALUES (x'00'); END";
    file(folder).execute_batch(sql).expect("a trigger is created");
}

fn refused() -> User {
    User { version: 7, ..build::user(2) }
}

#[tokio::test]
async fn a_transaction_that_sqlite_gives_up_fails_all_its_writes_and_no_other() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    file(&folder)
        .execute_batch(
            "CREATE TRIGGER gives_up BEFORE INSERT ON users WHEN NEW.version = 7
             BEGIN SELECT RAISE(ROLLBACK, 'all of it'); END",
        )
        .unwrap();
    first_fails_too(&store, async |mut tx| {
        assert!(tx.insert_user(&refused()).await.is_err());
        // Nothing may follow outside of a transaction.
        assert!(matches!(tx.insert_user(&build::user(2)).await, Err(StoreError::Unavailable(_))));
        tx.commit().await
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_the_database_refuses_fails_all_its_writes() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    refuse_commits_with(&folder);
    first_fails_too(&store, async |mut tx| {
        assert!(tx.insert_user(&refused()).await?);
        tx.commit().await
    })
    .await;
}

#[tokio::test]
async fn a_write_without_a_change_waits_for_what_it_may_have_read() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    refuse_commits_with(&folder);
    for _ in 0..1_000 {
        let mut first = store.write().await.unwrap();
        assert!(first.insert_user(&refused()).await.unwrap());
        let second = async {
            let mut tx = store.write().await?;
            let found = tx.find_user(build::user(2).id).await?;
            tx.commit().await.map(|()| found)
        };
        let (second, first) = tokio::join!(biased; second, first.commit());
        assert!(matches!(first, Err(StoreError::Unavailable(_))), "{first:?}");
        match second {
            // They did not share a transaction.
            Ok(found) => assert_eq!(found, None),
            Err(StoreError::Unavailable(_)) => return,
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("two writes never shared a transaction");
}

/// Polls a future once, which is not done by that.
async fn begin(future: &mut (impl Future + Unpin)) {
    tokio::select! {
        biased;
        _ = future => panic!("it did not wait"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn a_write_is_committed_when_those_behind_it_leave() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    for n in 0..20 {
        let mut first = store.write().await.unwrap();
        first.insert_user(&build::user(n)).await.unwrap();
        let mut behind = [store.write(), store.write()];
        for waiting in &mut behind {
            begin(waiting).await;
        }
        let mut committing = first.commit();
        begin(&mut committing).await;
        drop(behind);
        tokio::time::timeout(Duration::from_secs(10), committing).await.unwrap().unwrap();
        assert!(is_there(&store, n).await);
    }
}

#[tokio::test]
async fn a_close_that_is_given_up_leaves_no_write_unanswered() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    let mut first = store.write().await.unwrap();
    first.insert_user(&build::user(1)).await.unwrap();
    let mut closing = store.close();
    begin(&mut closing).await;
    let mut waiting = store.write();
    begin(&mut waiting).await;
    let mut committing = first.commit();
    begin(&mut committing).await;
    drop(waiting);
    drop(closing);
    tokio::time::timeout(Duration::from_secs(10), committing).await.unwrap().unwrap();
    file(&folder).execute("UPDATE users SET version = version + 1", []).unwrap();
}

#[tokio::test]
async fn a_write_waits_for_another_process_and_for_no_longer_than_it_holds_the_lock() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    insert(&store, 1).await.unwrap();
    let mut other = file(&folder);
    let held = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let mut waiting = std::pin::pin!(insert(&store, 2));
    let at_once = tokio::time::timeout(Duration::from_millis(50), &mut waiting).await;
    assert!(at_once.is_err(), "another process writes");
    assert!(is_there(&store, 1).await, "readers do not wait");
    held.commit().unwrap();
    waiting.await.unwrap();
}

#[tokio::test]
async fn a_closed_store_takes_nothing() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    insert(&store, 1).await.unwrap();
    store.close().await;
    assert!(matches!(insert(&store, 2).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    assert!(!folder.path().join("denizen.db-wal").exists(), "the log is folded into the file");
}
