//! Idempotency keys.

use denizen_domain::idempotency::IdempotentRequest;
use denizen_domain::idempotency::store::{Claim, Claimed};
use denizen_domain::store::Store;
use denizen_domain::time::Timestamp;

use crate::{Fixture, build};

/// How long a claim of these cases holds, and how long its key is kept, in seconds.
const HELD_S: u32 = 10;
const KEPT_S: u32 = 100;

pub async fn a_claim_holds_until_it_is_over(f: Fixture) {
    let request = request(1, 1);
    assert_eq!(claim(&*f.store, &request, 0).await, Claimed::First);
    assert_eq!(claim(&*f.store, &request, HELD_S - 1).await, Claimed::Running);
    // Its owner did not answer in time, so another takes over, and holds it as long.
    assert_eq!(claim(&*f.store, &request, HELD_S).await, Claimed::First);
    assert_eq!(claim(&*f.store, &request, HELD_S + 1).await, Claimed::Running);
    assert_eq!(claim(&*f.store, &request, HELD_S * 2).await, Claimed::First);
}

pub async fn an_answer_is_given_again(f: Fixture) {
    let request = request(1, 1);
    assert_eq!(claim(&*f.store, &request, 0).await, Claimed::First);
    answer(&*f.store, &request, &[0, 255, 7]).await;
    for second in [0, HELD_S, KEPT_S - 1] {
        assert_eq!(claim(&*f.store, &request, second).await, Claimed::Answered(vec![0, 255, 7]), "{second} s");
    }
    // The first answer stands.
    answer(&*f.store, &request, b"another").await;
    assert_eq!(claim(&*f.store, &request, 1).await, Claimed::Answered(vec![0, 255, 7]));
    // Past its time the key is new, and the old answer gone.
    assert_eq!(claim(&*f.store, &request, KEPT_S).await, Claimed::First);
    assert_eq!(claim(&*f.store, &request, KEPT_S).await, Claimed::Running);
    let large = vec![9; 1024 * 1024];
    answer(&*f.store, &request, &large).await;
    assert_eq!(claim(&*f.store, &request, KEPT_S).await, Claimed::Answered(large));
}

pub async fn another_request_is_refused(f: Fixture) {
    let (first, other) = (request(1, 1), request(1, 2));
    assert_eq!(claim(&*f.store, &first, 0).await, Claimed::First);
    assert_eq!(claim(&*f.store, &other, 1).await, Claimed::OtherRequest);
    assert_eq!(claim(&*f.store, &other, HELD_S).await, Claimed::OtherRequest, "though the hold is over");
    // Nor can it answer or free what it does not hold.
    answer(&*f.store, &other, b"forged").await;
    release(&*f.store, &other).await;
    assert_eq!(claim(&*f.store, &first, 2).await, Claimed::Running);
    answer(&*f.store, &first, b"answer").await;
    assert_eq!(claim(&*f.store, &other, 3).await, Claimed::OtherRequest);
    assert_eq!(claim(&*f.store, &other, KEPT_S).await, Claimed::First, "the key's time is over");
    // Keys do not touch each other.
    assert_eq!(claim(&*f.store, &request(2, 2), 0).await, Claimed::First);
}

pub async fn a_released_key_is_free(f: Fixture) {
    let (request, other) = (request(1, 1), request(1, 2));
    assert_eq!(claim(&*f.store, &request, 0).await, Claimed::First);
    release(&*f.store, &request).await;
    assert_eq!(claim(&*f.store, &other, 0).await, Claimed::First);
    answer(&*f.store, &other, b"answer").await;
    release(&*f.store, &other).await;
    assert_eq!(claim(&*f.store, &other, 0).await, Claimed::Answered(b"answer".to_vec()), "what is answered stays");
}

pub async fn fifty_claims_have_one_winner(f: Fixture) {
    // A new key, then one whose time is over, then one whose owner did not answer.
    for (round, second) in [(1, 0), (1, KEPT_S), (1, KEPT_S + HELD_S)] {
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let store = f.store.clone();
                tokio::spawn(async move { claim(&*store, &request(round, 1), second).await })
            })
            .collect();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await.unwrap());
        }
        let count = |outcome| outcomes.iter().filter(|other| **other == outcome).count();
        assert_eq!((count(Claimed::First), count(Claimed::Running)), (1, 49), "at {second} s");
    }
}

pub async fn a_purge_is_bounded(f: Fixture) {
    for n in 0..5 {
        assert_eq!(claim(&*f.store, &request(n, 1), n.into()).await, Claimed::First);
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
    assert_eq!(claim(&*f.store, &request(3, 1), 4).await, Claimed::Running, "those not over are kept");
}

fn request(key: u8, fingerprint: u8) -> IdempotentRequest {
    IdempotentRequest { key: [key; 32], fingerprint: [fingerprint; 32] }
}

async fn claim(store: &dyn Store, request: &IdempotentRequest, second: u32) -> Claimed {
    let now: Timestamp = build::moment(second);
    let claim = Claim {
        request: request.clone(),
        now,
        held_until: now.plus_seconds(HELD_S),
        kept_until: now.plus_seconds(KEPT_S),
    };
    let mut tx = store.write().await.unwrap();
    let claimed = tx.claim_idempotency_key(&claim).await.unwrap();
    tx.commit().await.unwrap();
    claimed
}

async fn answer(store: &dyn Store, request: &IdempotentRequest, sealed: &[u8]) {
    let mut tx = store.write().await.unwrap();
    tx.answer_idempotency_key(request, sealed).await.unwrap();
    tx.commit().await.unwrap();
}

async fn release(store: &dyn Store, request: &IdempotentRequest) {
    let mut tx = store.write().await.unwrap();
    tx.release_idempotency_key(request).await.unwrap();
    tx.commit().await.unwrap();
}
