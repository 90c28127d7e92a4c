//! The link for the first administrator.

use denizen_domain::setup::StoredLink;
use denizen_domain::store::Store;
use denizen_domain::time::Timestamp;
use tokio::task::JoinSet;

use super::winners;
use crate::{Fixture, build};

/// The lifetime of the links of these cases, in seconds.
const GOOD_S: u32 = 100;
/// Replaces every link.
const ALWAYS: Timestamp = Timestamp::from_micros(i64::MAX);

pub async fn a_link_is_taken_once_before_it_expires(f: Fixture) {
    let store = &*f.store;
    assert!(!has(store, 1, 0).await && !take(store, 1, 0).await, "there is none yet");
    assert!(put(store, &link(1, 0), ALWAYS).await);
    assert!(has(store, 1, GOOD_S - 1).await && !has(store, 1, GOOD_S).await && !has(store, 2, 0).await);
    assert!(!take(store, 2, 0).await && !take(store, 1, GOOD_S).await);
    let mut tx = store.write().await.unwrap();
    assert!(tx.take_setup_link(&[1; 32], build::moment(0)).await.unwrap());
    drop(tx);
    assert!(has(store, 1, 0).await, "a transaction that is rolled back takes nothing");
    assert!(take(store, 1, GOOD_S - 1).await && !take(store, 1, 0).await && !has(store, 1, 0).await);
}

pub async fn a_new_link_replaces_the_previous_one(f: Fixture) {
    let store = &*f.store;
    assert!(put(store, &link(1, 0), ALWAYS).await && put(store, &link(2, 1), ALWAYS).await);
    assert!(!has(store, 1, 1).await && has(store, 2, 1).await);
    assert!(!take(store, 1, 1).await && take(store, 2, 1).await);
}

pub async fn a_recent_link_stays_when_asked_for(f: Fixture) {
    let store = &*f.store;
    assert!(put(store, &link(1, 50), build::moment(0)).await, "there is none to stay");
    assert!(!put(store, &link(2, 60), build::moment(49)).await);
    assert!(has(store, 1, 60).await && !has(store, 2, 60).await);
    assert!(put(store, &link(3, 200), build::moment(50)).await);
    assert!(!put(store, &link(4, 199), build::moment(198)).await, "clocks of nodes differ a little");
    assert!(has(store, 3, 200).await);
    assert!(put(store, &link(5, 100), build::moment(99)).await, "the clock was set back by more than a minute");
    assert!(has(store, 5, 100).await && !has(store, 3, 100).await);
}

pub async fn of_fifty_who_take_a_link_one_does(f: Fixture) {
    assert!(put(&*f.store, &link(1, 0), ALWAYS).await);
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let store = f.store.clone();
        tasks.spawn(async move { take(&*store, 1, 0).await });
    }
    assert_eq!(winners(tasks).await, 1);
}

fn link(n: u8, second: u32) -> StoredLink {
    let created_at = build::moment(second);
    StoredLink { token_mac: [n; 32], created_at, expires_at: created_at.plus_seconds(GOOD_S) }
}

async fn put(store: &dyn Store, link: &StoredLink, unless_after: Timestamp) -> bool {
    let mut tx = store.write().await.unwrap();
    let is_put = tx.put_setup_link(link, unless_after).await.unwrap();
    tx.commit().await.unwrap();
    is_put
}

async fn has(store: &dyn Store, n: u8, second: u32) -> bool {
    store.read().await.unwrap().has_setup_link(&[n; 32], build::moment(second)).await.unwrap()
}

async fn take(store: &dyn Store, n: u8, second: u32) -> bool {
    let mut tx = store.write().await.unwrap();
    let is_taken = tx.take_setup_link(&[n; 32], build::moment(second)).await.unwrap();
    tx.commit().await.unwrap();
    is_taken
}
