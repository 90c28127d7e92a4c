//! Schemas.

use crate::{Fixture, build};

pub async fn eight_at_once_migrate_once(f: Fixture) {
    assert!(f.database.pending().await.unwrap() > 0, "a new database lacks everything");
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let database = f.database.clone();
            tokio::spawn(async move { database.migrate().await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(f.database.pending().await.unwrap(), 0);
    f.store.ping().await.unwrap();
}

pub async fn a_second_time_changes_nothing(f: Fixture) {
    f.store.ping().await.unwrap_err();
    f.database.migrate().await.unwrap();
    assert!(f.store.ping().await.unwrap().is_schema_current);
    super::insert(&*f.store, &[build::user(1)]).await;
    f.database.migrate().await.unwrap();
    assert!(super::find(&*f.store, build::user(1).id).await.is_some());
}
