//! Signing keys.

use denizen_domain::keys::{Algorithm, StoredKey};

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

pub async fn every_algorithm_comes_back(f: Fixture) {
    let mut expected = Vec::new();
    let mut tx = f.store.write().await.unwrap();
    for (sequence, &algorithm) in (1..).zip(Algorithm::ALL) {
        let key = StoredKey { algorithm, withdrawn_at: Some(build::moment(9)), ..key(sequence) };
        assert!(tx.insert_signing_key(&key).await.unwrap());
        expected.insert(0, key);
    }
    tx.commit().await.unwrap();
    assert_eq!(f.store.read().await.unwrap().signing_keys().await.unwrap(), expected);
}

pub async fn a_key_is_withdrawn_once(f: Fixture) {
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.insert_signing_key(&key(1)).await.unwrap());
    assert!(tx.insert_signing_key(&key(2)).await.unwrap());
    tx.commit().await.unwrap();

    let mut tx = f.store.write().await.unwrap();
    assert!(tx.withdraw_signing_key(&key(1).id, build::moment(7)).await.unwrap());
    assert!(!tx.withdraw_signing_key(&key(1).id, build::moment(8)).await.unwrap(), "already");
    assert!(!tx.withdraw_signing_key("unknown", build::moment(8)).await.unwrap());
    tx.commit().await.unwrap();
    let withdrawn = StoredKey { withdrawn_at: Some(build::moment(7)), ..key(1) };
    assert_eq!(f.store.read().await.unwrap().signing_keys().await.unwrap(), [key(2), withdrawn]);
}

pub async fn a_key_is_removed_once(f: Fixture) {
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.insert_signing_key(&key(1)).await.unwrap());
    assert!(tx.insert_signing_key(&key(2)).await.unwrap());
    assert!(tx.delete_signing_key(&key(1).id).await.unwrap());
    assert!(!tx.delete_signing_key(&key(1).id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(f.store.read().await.unwrap().signing_keys().await.unwrap(), [key(2)]);
}

fn key(sequence: i64) -> StoredKey {
    StoredKey {
        id: format!("key {sequence}"),
        sequence,
        algorithm: Algorithm::Es256,
        public_key: vec![4, 0, 255],
        sealed_private_key: (0..=255).collect(),
        created_at: build::moment(5),
        activates_at: build::moment(6),
        withdrawn_at: None,
    }
}
