//! Idempotent answers.

use denizen_domain::budgets::BudgetKey;
use denizen_domain::idempotency::store::{FoundAnswer, NewAnswer};
use denizen_domain::idempotency::{IdempotentRequest, Share};
use denizen_domain::store::{Store, WriteTx};

use crate::{Fixture, build};

/// How long answers of these cases are kept, in seconds.
const KEPT_S: u32 = 100;

pub async fn the_first_answer_stands_until_its_time_is_over(f: Fixture) {
    let (first, other) = (request(1, 1), request(1, 2));
    assert_eq!(find(&*f.store, &first).await, None);
    assert!(answer(&*f.store, &first, &[0, 255, 7], 0).await);
    let found = FoundAnswer {
        fingerprint: first.fingerprint,
        sealed: Some(vec![0, 255, 7]),
        held_until: build::moment(0),
        kept_until: build::moment(KEPT_S),
    };
    assert_eq!(find(&*f.store, &first).await, Some(found.clone()));
    for second in [0, 1, KEPT_S - 1] {
        assert!(!answer(&*f.store, &first, b"another", second).await, "{second} s");
        assert!(!answer(&*f.store, &other, b"another", second).await, "{second} s");
    }
    assert_eq!(find(&*f.store, &first).await, Some(found));
    // Keys do not touch each other.
    assert!(answer(&*f.store, &request(2, 2), b"its own", 0).await);

    let large = vec![9; 64 * 1024];
    assert!(answer(&*f.store, &other, &large, KEPT_S).await);
    let found = find(&*f.store, &other).await.unwrap();
    assert_eq!((found.fingerprint, found.sealed), (other.fingerprint, Some(large)));
}

pub async fn an_answer_is_committed_with_the_work(f: Fixture) {
    let request = request(1, 1);
    let mut tx = f.store.write().await.unwrap();
    assert!(insert(&mut *tx, &request, b"answer", 0).await);
    drop(tx);
    assert_eq!(find(&*f.store, &request).await, None);
    assert!(answer(&*f.store, &request, b"answer", 0).await);
}

pub async fn of_fifty_answers_one_is_stored(f: Fixture) {
    // Under a new key, then under one whose time is over.
    for second in [0, KEPT_S] {
        let tasks: Vec<_> = (0..50)
            .map(|at| {
                let store = f.store.clone();
                tokio::spawn(async move { answer(&*store, &request(1, at), &[at], second).await })
            })
            .collect();
        let mut stored = Vec::new();
        for (at, task) in tasks.into_iter().enumerate() {
            if task.await.unwrap() {
                stored.push(u8::try_from(at).unwrap());
            }
        }
        let found = find(&*f.store, &request(1, 0)).await.unwrap();
        assert_eq!(found.sealed, Some(stored), "at {second} s");
    }
}

pub async fn a_purge_is_bounded(f: Fixture) {
    for n in 0..5 {
        assert!(answer(&*f.store, &request(n, 1), b"answer", n.into()).await);
    }
    let purge = async |second, limit| {
        let mut tx = f.store.write().await.unwrap();
        let removed = tx.purge_idempotency_keys(build::moment(second), limit).await.unwrap();
        tx.commit().await.unwrap();
        removed
    };
    assert_eq!(purge(KEPT_S - 1, 9).await, 0);
    assert_eq!(purge(KEPT_S + 2, 2).await, 2);
    assert_eq!(purge(KEPT_S + 2, 2).await, 1);
    assert_eq!(purge(KEPT_S + 2, 2).await, 0);
    assert!(find(&*f.store, &request(3, 1)).await.is_some(), "those not over are kept");
}

fn request(key: u8, fingerprint: u8) -> IdempotentRequest {
    let share = Share::Caller(BudgetKey::from_bytes([0; 32]));
    IdempotentRequest { key: [key; 32], fingerprint: [fingerprint; 32], share }
}

async fn find(store: &dyn Store, request: &IdempotentRequest) -> Option<FoundAnswer> {
    store.read().await.unwrap().find_idempotent_answer(&request.key).await.unwrap()
}

async fn insert(tx: &mut dyn WriteTx, request: &IdempotentRequest, sealed: &[u8], second: u32) -> bool {
    let now = build::moment(second);
    let new = NewAnswer { request, sealed, now, kept_until: now.plus_seconds(KEPT_S) };
    tx.insert_idempotent_answer(&new).await.unwrap()
}

async fn answer(store: &dyn Store, request: &IdempotentRequest, sealed: &[u8], second: u32) -> bool {
    let mut tx = store.write().await.unwrap();
    let is_stored = insert(&mut *tx, request, sealed, second).await;
    if is_stored {
        tx.commit().await.unwrap();
    }
    is_stored
}
