//! Budgets: what is counted against a key.

use denizen_domain::budgets::store::{Forgiving, Spending, Window};
use denizen_domain::budgets::{BudgetKey, Patience};
use denizen_domain::credentials::PasswordHash;
use denizen_domain::sessions::store::{Displacement, Opened, Opening};
use denizen_domain::store::Store;
use tokio::task::JoinSet;

use super::{insert, winners};
use crate::{Fixture, build};

const PATIENCE: Patience = Patience { free: 3, delay_s: 10, delay_max_s: 35, forgotten_s: 100 };

pub async fn the_first_failures_are_free_and_the_rest_wait_longer_and_longer(f: Fixture) {
    let key = key(1);
    for second in [0, 1, 2] {
        assert_eq!(spend(&*f.store, &[key], second).await, None, "at {second} s");
    }
    // Until when each try is refused, and when it is admitted.
    for (admitted_at, blocked_until) in [(2, 12), (12, 32), (32, 67), (67, 102)] {
        if admitted_at > 2 {
            assert_eq!(spend(&*f.store, &[key], admitted_at).await, None, "at {admitted_at} s");
        }
        for second in [admitted_at, blocked_until - 1] {
            assert_eq!(spend(&*f.store, &[key], second).await, Some(blocked_until), "at {second} s");
        }
    }
    // A hundred seconds after the end of the last block all is as at first.
    for second in [202, 203, 204] {
        assert_eq!(spend(&*f.store, &[key], second).await, None, "at {second} s");
    }
    assert_eq!(spend(&*f.store, &[key], 205).await, Some(214));
    assert_eq!(spend(&*f.store, &[self::key(2)], 205).await, None, "keys do not touch each other");

    let impatient = Patience { free: 1, ..PATIENCE };
    let spendings = [Spending { key: self::key(3), patience: impatient }];
    assert_eq!(f.store.spend_budgets(&spendings, build::moment(0)).await.unwrap(), None);
    assert_eq!(f.store.spend_budgets(&spendings, build::moment(0)).await.unwrap(), Some(build::moment(10)));
}

pub async fn tries_of_one_moment_come_in_any_order(f: Fixture) {
    for second in [9, 5] {
        assert_eq!(spend(&*f.store, &[key(1)], second).await, None, "at {second} s");
    }
    forgive(&*f.store, Forgiving::One(key(1))).await;
    for second in [3, 1] {
        assert_eq!(spend(&*f.store, &[key(1)], second).await, None, "at {second} s");
    }
    assert_eq!(spend(&*f.store, &[key(1)], 2).await, Some(11));
}

pub async fn what_is_forgiven_can_be_spent_again(f: Fixture) {
    let key = key(1);
    for _ in 0..3 {
        assert_eq!(spend(&*f.store, &[key], 0).await, None);
    }
    assert_eq!(spend(&*f.store, &[key], 0).await, Some(10));
    // One less: one more can be spent, and no two.
    forgive(&*f.store, Forgiving::One(key)).await;
    assert_eq!(spend(&*f.store, &[key], 0).await, None);
    assert_eq!(spend(&*f.store, &[key], 0).await, Some(10));
    forgive(&*f.store, Forgiving::Whole(key)).await;
    for _ in 0..3 {
        assert_eq!(spend(&*f.store, &[key], 1).await, None);
    }
    assert_eq!(spend(&*f.store, &[key], 1).await, Some(11));
    // Forgiven more often than spent, it holds no more than it did.
    for _ in 0..9 {
        forgive(&*f.store, Forgiving::One(key)).await;
    }
    forgive(&*f.store, Forgiving::Whole(self::key(2))).await;
    forgive(&*f.store, Forgiving::One(self::key(2))).await;
    for _ in 0..3 {
        assert_eq!(spend(&*f.store, &[key], 2).await, None);
    }
    assert_eq!(spend(&*f.store, &[key], 2).await, Some(12));
}

pub async fn all_are_spent_or_none(f: Fixture) {
    let (account, address) = (key(1), key(2));
    for _ in 0..3 {
        assert_eq!(spend(&*f.store, &[address], 0).await, None);
    }
    for _ in 0..9 {
        assert_eq!(spend(&*f.store, &[account, address], 1).await, Some(10));
        assert_eq!(spend(&*f.store, &[address, account], 1).await, Some(10));
    }
    for _ in 0..3 {
        assert_eq!(spend(&*f.store, &[account], 2).await, None, "it was not spent with the other");
    }
    assert_eq!(spend(&*f.store, &[account], 2).await, Some(12));
}

pub async fn a_hundred_tries_at_once_are_as_many_as_are_free(f: Fixture) {
    // A key that is new, one that is forgotten, and one of which one is left.
    for (second, admitted) in [(0, 3), (200, 3), (210, 1)] {
        let mut tasks = JoinSet::new();
        for client in 0..100 {
            let store = f.store.clone();
            // Each from an address of its own.
            let keys = [key(1), key(2 + client)];
            tasks.spawn(async move { spend(&*store, &keys, second).await.is_none() });
        }
        assert_eq!(winners(tasks).await, admitted, "at {second} s");
    }
}

async fn take(store: &dyn Store, limit: u32, amount: u32, second: u32) -> bool {
    let mut tx = store.write().await.unwrap();
    let window = Window { key: key(1), amount, limit, period_s: 60 };
    let is_taken = tx.spend_window(&window, build::moment(second)).await.unwrap();
    tx.commit().await.unwrap();
    is_taken
}

pub async fn amounts_are_taken_while_enough_is_left(f: Fixture) {
    for (second, amount, expected) in
        [(0, 7, true), (1, 4, false), (2, 3, true), (3, 1, false), (60, 10, true), (61, 1, false)]
    {
        assert_eq!(take(&*f.store, 10, amount, second).await, expected, "{amount} at {second} s");
    }
}

pub async fn a_window_is_used_up_and_begins_anew(f: Fixture) {
    let take = async |store: &dyn Store, second| take(store, 2, 1, second).await;
    for (second, expected) in [(0, true), (59, true), (59, false), (60, true), (119, true), (119, false)] {
        assert_eq!(take(&*f.store, second).await, expected, "at {second} s");
    }
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let store = f.store.clone();
        tasks.spawn(async move { take(&*store, 120).await });
    }
    assert_eq!(winners(tasks).await, 2);
}

pub async fn a_session_that_opens_forgives(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let hash = PasswordHash::from_encoded("a hash".to_owned());
    let mut tx = f.store.write().await.unwrap();
    tx.set_password(user.id, &hash, build::EPOCH).await.unwrap();
    tx.commit().await.unwrap();
    let open = async |n, proven: &str| {
        for _ in 0..3 {
            assert_eq!(spend(&*f.store, &[key(n)], 0).await, None);
        }
        let opening = Opening {
            session: build::session(&user, n.into()),
            proven: PasswordHash::from_encoded(proven.to_owned()),
            renewed: None,
            forgiven: vec![Forgiving::Whole(key(n)), Forgiving::One(key(99))],
            event: build::event(1),
            displacement: Displacement { keep: 100, events: [build::event(2), build::event(3)] },
        };
        let is_opened = matches!(f.store.open_session(&opening).await.unwrap(), Opened::Session(_));
        (is_opened, spend(&*f.store, &[key(n)], 0).await)
    };
    assert_eq!(open(1, "a hash").await, (true, None));
    assert_eq!(open(2, "another hash").await, (false, Some(10)), "what does not open does not forgive");
}

pub async fn a_purge_is_bounded(f: Fixture) {
    for n in 0..5 {
        assert_eq!(spend(&*f.store, &[key(n)], n.into()).await, None);
    }
    let purge = async |second, limit| {
        let mut tx = f.store.write().await.unwrap();
        let removed = tx.purge_budgets(build::moment(second), limit).await.unwrap();
        tx.commit().await.unwrap();
        removed
    };
    assert_eq!(purge(99, 9).await, 0);
    assert_eq!(purge(102, 2).await, 2);
    assert_eq!(purge(102, 2).await, 1);
    assert_eq!(purge(102, 2).await, 0);
    assert_eq!(purge(104, 9).await, 2);
}

fn key(n: u8) -> BudgetKey {
    BudgetKey::from_bytes([n; 32])
}

/// Spends one of each, and says until which second they are blocked when they are.
async fn spend(store: &dyn Store, keys: &[BudgetKey], second: u32) -> Option<u32> {
    let spendings: Vec<_> = keys.iter().map(|&key| Spending { key, patience: PATIENCE }).collect();
    let blocked_until = store.spend_budgets(&spendings, build::moment(second)).await.unwrap()?;
    Some(u32::try_from(blocked_until.as_seconds() - build::EPOCH.as_seconds()).unwrap())
}

async fn forgive(store: &dyn Store, forgiving: Forgiving) {
    store.forgive_budgets(&[forgiving]).await.unwrap();
}
