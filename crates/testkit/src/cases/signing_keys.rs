//! Signing keys.

use denizen_domain::keys::StoredKey;

use crate::{Fixture, build};

pub async fn the_newest_key_comes_first(f: Fixture) {
    assert_eq!(f.store.read().await.unwrap().signing_keys().await.unwrap(), []);
    let mut tx = f.store.write().await.unwrap();
    for sequence in [1, 3, 2] {
        assert!(tx.insert_signing_key(&key(sequence)).await.unwrap());
    }
    assert_eq!(tx.signing_keys().await.unwrap().len(), 3);
    tx.commit().await.unwrap();
    assert_eq!(f.store.read().await.unwrap().signing_keys().await.unwrap(), [key(3), key(2), key(1)]);
}

pub async fn a_sequence_number_is_taken_once(f: Fixture) {
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let store = f.store.clone();
            tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                let is_new = tx.insert_signing_key(&StoredKey { id: format!("node {n}"), ..key(1) }).await.unwrap();
                tx.commit().await.unwrap();
                is_new
            })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += usize::from(task.await.unwrap());
    }
    assert_eq!(winners, 1);
    assert_eq!(f.store.read().await.unwrap().signing_keys().await.unwrap().len(), 1);
}

fn key(sequence: i64) -> StoredKey {
    StoredKey {
        id: format!("key {sequence}"),
        sequence,
        algorithm: "ES256".to_owned(),
        public_key: vec![4, 0, 255],
        sealed_private_key: (0..=255).collect(),
        created_at: build::moment(5),
    }
}
