//! The root key.

use std::sync::Arc;

use denizen_domain::keys::SealedRoot;
use denizen_domain::store::Store;
use tokio::task::JoinSet;

use super::winners;
use crate::{Fixture, build};

pub async fn the_first_root_is_kept_once(f: Fixture) {
    assert_eq!(roots(&*f.store).await, []);
    let mut tasks = JoinSet::new();
    for n in 0..8 {
        // Half of them under one master key, half under others.
        tasks.spawn(insert_first(f.store.clone(), root(&format!("master {}", n / 2 * (n % 2)), n)));
    }
    assert_eq!(winners(tasks).await, 1);
    let kept = roots(&*f.store).await;
    assert_eq!(kept.len(), 1);
    assert!(!insert_first(f.store.clone(), root("late", 9)).await);
    assert_eq!(roots(&*f.store).await, kept);
}

pub async fn a_root_is_kept_under_several_master_keys(f: Fixture) {
    assert!(insert_first(f.store.clone(), root("old", 1)).await);
    let mut tx = f.store.write().await.unwrap();
    tx.put_root(&root("new", 2)).await.unwrap();
    tx.put_root(&root("new", 3)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(roots(&*f.store).await, [root("new", 3), root("old", 1)]);

    let mut tx = f.store.write().await.unwrap();
    assert_eq!(tx.keep_only_root("new").await.unwrap(), 1);
    assert_eq!(tx.keep_only_root("new").await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(roots(&*f.store).await, [root("new", 3)]);
}

pub async fn the_last_root_is_never_forgotten(f: Fixture) {
    assert!(insert_first(f.store.clone(), root("old", 1)).await);
    let mut tx = f.store.write().await.unwrap();
    assert_eq!(tx.keep_only_root("mistyped").await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(roots(&*f.store).await, [root("old", 1)]);
}

pub async fn two_that_keep_another_one_keep_one(f: Fixture) {
    for _ in 0..8 {
        assert!(insert_first(f.store.clone(), root("old", 1)).await || roots(&*f.store).await.len() == 1);
        let mut tx = f.store.write().await.unwrap();
        tx.put_root(&root("old", 1)).await.unwrap();
        tx.put_root(&root("new", 2)).await.unwrap();
        tx.commit().await.unwrap();
        let keep = |master_id: &'static str| {
            let store = f.store.clone();
            tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                tx.keep_only_root(master_id).await.unwrap();
                tokio::task::yield_now().await;
                tx.commit().await.unwrap();
            })
        };
        let (old, new) = tokio::join!(keep("old"), keep("new"));
        old.unwrap();
        new.unwrap();
        assert_eq!(roots(&*f.store).await.len(), 1);
    }
}

fn root(master_id: &str, n: u8) -> SealedRoot {
    SealedRoot { master_id: master_id.to_owned(), sealed: vec![n, 0, 255], created_at: build::moment(n.into()) }
}

async fn insert_first(store: Arc<dyn Store>, root: SealedRoot) -> bool {
    let mut tx = store.write().await.unwrap();
    let is_first = tx.insert_first_root(&root).await.unwrap();
    tx.commit().await.unwrap();
    is_first
}

/// In the order of their master keys' names; the store promises none.
async fn roots(store: &dyn Store) -> Vec<SealedRoot> {
    let mut roots = store.read().await.unwrap().sealed_roots().await.unwrap();
    roots.sort_by(|a, b| a.master_id.cmp(&b.master_id));
    roots
}
