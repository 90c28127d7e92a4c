//! A database file that is removed or replaced under an open store.

use denizen_domain::budgets::store::Spending;
use denizen_domain::budgets::{BudgetKey, Patience};
use denizen_domain::store::{Store, StoreError};
use denizen_infra_sqlite::{SqliteOptions, SqliteStore, migrate};
use denizen_testkit::build;
use tempfile::TempDir;

async fn is_refused(store: &SqliteStore) -> bool {
    let patience = Patience { free: 9, delay_s: 1, delay_max_s: 1, forgotten_s: 1 };
    let spending = Spending { key: BudgetKey::from_bytes([1; 32]), patience };
    let grouped = store.spend_budgets(&[spending], build::moment(1)).await.map(drop);
    let outcomes = [store.write().await.map(drop), store.ping().await.map(drop), grouped];
    let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(StoreError::Unavailable(_)))).count();
    assert!(refused == 0 || refused == outcomes.len(), "{outcomes:?}");
    refused > 0
}

#[tokio::test]
async fn nothing_is_written_to_a_file_that_is_gone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("denizen.db");
    let options = SqliteOptions::new(&path);
    migrate(&options).await.unwrap();
    let store = SqliteStore::open(&options).unwrap();
    assert!(!is_refused(&store).await);

    let aside = folder.path().join("aside.db");
    std::fs::rename(&path, &aside).unwrap();
    assert!(is_refused(&store).await);
    std::fs::copy(&aside, &path).unwrap();
    assert!(is_refused(&store).await, "a copy is another file");
    std::fs::rename(&aside, &path).unwrap();
    assert!(!is_refused(&store).await, "the same file is back");
}
