//! What was written under a clock that has been set back since.

use denizen_domain::budgets::store::{Spending, Window};
use denizen_domain::budgets::{BudgetKey, Patience};
use denizen_domain::store::Store;
use denizen_domain::time::Timestamp;
use denizen_domain::webhooks::Health;

use super::webhooks;
use crate::{Fixture, build};

const PATIENCE: Patience = Patience { free: 2, delay_s: 10, delay_max_s: 15, forgotten_s: 100 };
/// How far the clock is set back in these cases, in seconds.
const BACK_S: u32 = 7_200;

pub async fn block_is_shortened_to_what_its_failures_are_worth(f: Fixture) {
    let (blocked, free) = (key(1), key(2));
    // The second failure blocks for 10 s, the third for 15 s.
    for (second, until) in [(BACK_S, None), (BACK_S, None), (BACK_S + 9, Some(BACK_S + 10)), (BACK_S + 10, None)] {
        assert_eq!(spend(&*f.store, &[blocked], second).await, until, "at {second} s");
    }
    assert_eq!(spend(&*f.store, &[blocked], BACK_S + 11).await, Some(BACK_S + 25));
    for keys in [[blocked, free], [free, blocked]] {
        assert_eq!(spend(&*f.store, &keys, 10).await, Some(25), "the block begins now");
    }
    assert_eq!(spend(&*f.store, &[blocked], 24).await, Some(25), "and is not prolonged");
    for _ in 0..2 {
        assert_eq!(spend(&*f.store, &[free], 24).await, None, "it was not spent with the other");
    }
    assert_eq!(spend(&*f.store, &[blocked], 25).await, None);
    // A hundred seconds after the end of the block, its failures are forgotten.
    for second in [140, 141] {
        assert_eq!(spend(&*f.store, &[blocked], second).await, None, "at {second} s");
    }
}

pub async fn every_block_of_a_guess_is_shortened_at_once(f: Fixture) {
    let both = [key(1), key(2)];
    for expected in [None, None, Some(BACK_S + 10)] {
        assert_eq!(spend(&*f.store, &both, BACK_S).await, expected);
    }
    assert_eq!(spend(&*f.store, &both, 10).await, Some(20));
    assert_eq!(spend(&*f.store, &both, 20).await, None, "the second block began with the first");
}

pub async fn window_begins_again(f: Fixture) {
    let take = async |second: u32| {
        let mut tx = f.store.write().await.unwrap();
        let window = Window { key: key(1), amount: 1, limit: 1, period_s: 60 };
        let is_taken = tx.spend_window(&window, build::moment(second)).await.unwrap();
        tx.commit().await.unwrap();
        is_taken
    };
    // The clocks of nodes differ by a minute at most.
    for (second, expected) in [(BACK_S, true), (BACK_S - 60, false), (BACK_S - 61, true), (BACK_S - 61, false)] {
        assert_eq!(take(second).await, expected, "at {second} s");
    }
    for (second, expected) in [(0, true), (59, false), (60, true)] {
        assert_eq!(take(second).await, expected, "at {second} s");
    }
}

pub async fn mail_that_is_due_too_late_becomes_due(f: Fixture) {
    let mut tx = f.store.write().await.unwrap();
    for second in [BACK_S, 100, 101] {
        tx.enqueue_mail(&build::mail(second)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let is_due = async |second| f.store.read().await.unwrap().is_mail_due(build::moment(second)).await.unwrap();
    assert!(!is_due(99).await);
    let hasten = async || {
        let mut tx = f.store.write().await.unwrap();
        let hastened = tx.hasten_mail(build::moment(7), build::moment(100)).await.unwrap();
        tx.commit().await.unwrap();
        hastened
    };
    assert_eq!((hasten().await, hasten().await), (2, 0), "what waits no longer than it may stays as it is");
    assert!(!is_due(6).await);
    let mut tx = f.store.write().await.unwrap();
    let taken = tx.take_due_mail(build::moment(7), build::moment(9), 9).await.unwrap();
    tx.commit().await.unwrap();
    let taken: Vec<_> = taken.iter().map(|due| due.id).collect();
    assert_eq!(taken, [build::mail(101).id, build::mail(BACK_S).id]);
}

pub async fn deliveries_that_are_due_too_late_become_due(f: Fixture) {
    let (id, paused, other) = (webhooks::hook(&f, 1).await, webhooks::hook(&f, 2).await, webhooks::hook(&f, 3).await);
    // Of a subject one is due: the second stays behind the first.
    let rows = [webhooks::delivery(id, 1, "a", true), webhooks::delivery(id, 2, "a", false)];
    webhooks::add(&f, &rows, BACK_S).await;
    webhooks::add(&f, &[webhooks::delivery(other, 3, "a", true)], 100).await;
    webhooks::add(&f, &[webhooks::delivery(paused, 4, "a", true)], 1).await;
    let mut tx = f.store.write().await.unwrap();
    let until = |second| Health { failures: 5, paused_until: Some(build::moment(second)) };
    tx.set_webhook_health(paused, until(BACK_S)).await.unwrap();
    tx.set_webhook_health(other, until(50)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(webhooks::due(&f, 49).await, []);

    let mut tx = f.store.write().await.unwrap();
    tx.hasten_deliveries(build::moment(7), build::moment(100), build::moment(50)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(webhooks::due(&f, 6).await, []);
    assert_eq!(webhooks::due(&f, 7).await, [id, paused]);
    assert_eq!(webhooks::due(&f, 99).await, [id, paused], "what waits no longer than it may stays as it is");
    assert_eq!(webhooks::due(&f, 100).await, [id, paused, other]);
    assert_eq!(webhooks::positions(&webhooks::take(&f, id, 7, 9).await), [1]);
}

fn key(n: u8) -> BudgetKey {
    BudgetKey::from_bytes([n; 32])
}

/// Spends one of each; the second until which they are blocked, if they are.
async fn spend(store: &dyn Store, keys: &[BudgetKey], second: u32) -> Option<u32> {
    let spendings: Vec<_> = keys.iter().map(|&key| Spending { key, patience: PATIENCE }).collect();
    let blocked_until: Timestamp = store.spend_budgets(&spendings, build::moment(second)).await.unwrap()?;
    Some(u32::try_from(blocked_until.as_seconds() - build::EPOCH.as_seconds()).unwrap())
}
