//! Webhooks, and the deliveries to them.

use denizen_domain::access::Subject;
use denizen_domain::id::{DeliveryId, WebhookId};
use denizen_domain::page::{Count, Page};
use denizen_domain::store::Store;
use denizen_domain::webhooks::store::{Outcome, SealedSecrets};
use denizen_domain::webhooks::{
    Attempt, Creator, Delivery, DeliveryState, DisabledReason, DueDelivery, EventTypes, Health, NewDelivery, Webhook,
    WebhookStatus, WebhookUrl,
};
use tokio::task::JoinSet;

use super::{check_walks, winners};
use crate::{Fixture, build};

/// How long a taken delivery is held in these cases, in seconds.
const HELD_S: u32 = 100;
/// When deliveries are given up in these cases, in seconds.
const GIVEN_UP: u32 = 1_000;

pub async fn a_webhook_comes_back_as_it_was(f: Fixture) {
    let webhook = Webhook {
        url: WebhookUrl::from_stored("https://example.com/'quoted'".to_owned()),
        types: EventTypes::parse(&["user.*", "role.created"]).unwrap(),
        status: WebhookStatus::Disabled,
        disabled_reason: Some(DisabledReason::CreatorDeleted),
        created_by: Some(Creator::Account(Subject::User(build::user(1).id))),
        since: i64::MAX,
        version: i64::MAX,
        health: Health { failures: 7, paused_until: Some(build::moment(9)) },
        ..build::webhook(1)
    };
    let sealed = SealedSecrets { current: vec![0, 1, 255], previous: Some((vec![2], build::moment(8))) };
    let mut tx = f.store.write().await.unwrap();
    tx.insert_webhook(&webhook, &sealed).await.unwrap();
    tx.commit().await.unwrap();
    insert(&*f.store, &[build::webhook(2)]).await;
    assert_eq!(find(&*f.store, webhook.id).await, Some(webhook.clone()));
    assert_eq!(secrets(&*f.store, webhook.id).await, Some(sealed));
    let other = SealedSecrets { current: vec![3], previous: None };
    let created_by = Some(Creator::Operator);
    let changed = Webhook { version: 9, health: Health::default(), created_by, ..build::webhook(1) };
    let mut tx = f.store.write().await.unwrap();
    assert_eq!(tx.lock_webhook(webhook.id).await.unwrap(), Some(webhook.clone()));
    assert_eq!(tx.lock_webhooks().await.unwrap().len(), 2);
    tx.update_webhook(&changed).await.unwrap();
    tx.set_webhook_secrets(webhook.id, &other).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(find(&*f.store, webhook.id).await, Some(Webhook { created_at: webhook.created_at, ..changed }));
    assert_eq!(secrets(&*f.store, webhook.id).await, Some(other));
    assert_eq!(find(&*f.store, build::webhook(2).id).await, Some(build::webhook(2)));
    assert_eq!(find(&*f.store, build::webhook(3).id).await, None);
}

pub async fn every_walk_finds_the_same_webhooks(f: Fixture) {
    let mut webhooks: Vec<_> =
        (0..30).map(|n| Webhook { created_at: build::moment(n / 3), ..build::webhook(n) }).collect();
    insert(&*f.store, &webhooks).await;
    webhooks.sort_by_key(|webhook| std::cmp::Reverse((webhook.created_at, webhook.id)));
    let list = async |page: Page| f.store.read().await.unwrap().list_webhooks(page).await.unwrap();
    check_walks(list, Webhook::position, &webhooks, "webhooks").await;
    assert_eq!(f.store.read().await.unwrap().count_webhooks().await.unwrap(), 30);
}

pub async fn the_log_is_fanned_out_by_one_at_a_time(f: Fixture) {
    let id = hook(&f, 1).await;
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let store = f.store.clone();
        tasks.spawn(async move {
            let mut tx = store.write().await.unwrap();
            let Some(cursor) = tx.lock_webhook_cursor().await.unwrap() else { return false };
            if cursor >= 1 {
                return false;
            }
            let new =
                NewDelivery { id: DeliveryId::from_uuid(uuid::Uuid::from_u128(77)), ..delivery(id, 1, "s", true) };
            tx.insert_deliveries(&[new], build::moment(1), build::moment(9)).await.unwrap();
            tx.move_webhook_cursor(1).await.unwrap();
            tx.commit().await.unwrap();
            true
        });
    }
    assert_eq!(winners(tasks).await, 1);
    assert_eq!(f.store.read().await.unwrap().webhook_cursor().await.unwrap(), 1);
    assert_eq!(all(&f, id).await.len(), 1);
    // Not even if the cursor were lost is an event added twice.
    add(&f, &[delivery(id, 1, "s", true)], 1).await;
    assert_eq!(all(&f, id).await.len(), 1);
}

pub async fn of_a_subject_one_is_due(f: Fixture) {
    let (id, other) = (hook(&f, 1).await, hook(&f, 2).await);
    add(&f, &[delivery(id, 1, "a", true), delivery(id, 2, "a", false), delivery(id, 3, "b", true)], 1).await;
    add(&f, &[delivery(id, 4, "a", true), delivery(other, 4, "a", true)], 2).await;
    assert_eq!(due(&f, 0).await, []);
    assert_eq!(due(&f, 2).await, [id, other]);
    let taken = take(&f, id, 2, 9).await;
    assert_eq!(positions(&taken), [1, 3]);
    assert_eq!(positions(&take(&f, other, 2, 9).await), [4]);
    assert_eq!(take(&f, id, HELD_S, 9).await, [], "what is taken is nobody else's, and what waits is not due");
    settle(&f, &taken[0], DeliveryState::Delivered, None).await;
    settle(&f, &taken[1], DeliveryState::Pending, Some(50)).await;
    assert_eq!(positions(&take(&f, id, 3, 9).await), [2], "the next of the subject, and not one that was put back");
    assert_eq!(positions(&take(&f, id, 50, 9).await), [3]);
}

pub async fn a_delivery_is_taken_by_one_and_found_again(f: Fixture) {
    let id = hook(&f, 1).await;
    let rows: Vec<_> = (1..=40).map(|n| delivery(id, n, &format!("s{n}"), true)).collect();
    add(&f, &rows, 1).await;
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let f = f.clone();
        tasks.spawn(async move { take(&f, id, 5, 3).await });
    }
    let mut taken: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    taken.extend(take(&f, id, 5, 99).await);
    taken.sort_by_key(|due| due.event_position);
    assert_eq!(positions(&taken), (1..=40).collect::<Vec<_>>(), "each once");
    let again = take(&f, id, 5 + HELD_S, 99).await;
    assert_eq!(again.len(), 40, "whoever took them is gone");
    assert!(again.iter().all(|due| due.attempts == 2));
    assert!(!settle(&f, &taken[0], DeliveryState::Delivered, None).await, "another one has it now");
    assert!(settle(&f, &again[0], DeliveryState::Delivered, None).await);
    assert!(!settle(&f, &again[0], DeliveryState::Delivered, None).await, "once");
}

pub async fn an_attempt_comes_back_as_it_was(f: Fixture) {
    let id = hook(&f, 1).await;
    add(&f, &[delivery(id, 1, "", true), delivery(id, 2, "", false)], 1).await;
    let taken = take(&f, id, 2, 9).await.remove(0);
    let attempt = Attempt {
        at: build::moment(3),
        status: Some(599),
        latency_ms: 30_000,
        answer: "a 'text'\u{FFFD}".repeat(100),
        error: Some("http_status".to_owned()),
    };
    let outcome = Outcome { state: DeliveryState::Parked, due_at: None };
    let mut tx = f.store.write().await.unwrap();
    assert_eq!(tx.settle_delivery(&taken, &outcome, &attempt).await.unwrap(), Some(DeliveryState::Parked));
    tx.commit().await.unwrap();
    let back = f.store.read().await.unwrap().find_delivery(id, taken.id).await.unwrap().unwrap();
    let new = delivery(id, 1, "", true);
    let expected = Delivery {
        id: new.id,
        webhook: id,
        event_position: 1,
        event: new.event,
        kind: new.kind,
        subject: String::new(),
        state: DeliveryState::Parked,
        attempts: 1,
        due_at: None,
        created_at: build::moment(1),
        last: Some(attempt),
    };
    assert_eq!(back, expected);
    let other = hook(&f, 2).await;
    assert_eq!(f.store.read().await.unwrap().find_delivery(other, taken.id).await.unwrap(), None);
}

pub async fn every_walk_finds_the_same_deliveries(f: Fixture) {
    let (id, other) = (hook(&f, 1).await, hook(&f, 2).await);
    let rows: Vec<_> = (1..=30).map(|n| delivery(id, n, &format!("s{n}"), true)).collect();
    add(&f, &rows[..15], 1).await;
    add(&f, &rows[15..], 2).await;
    add(&f, &[delivery(other, 1, "a", true)], 1).await;
    for taken in take(&f, id, 2, 7).await {
        settle(&f, &taken, DeliveryState::Parked, None).await;
    }
    for (state, count) in [(None, 30), (Some(DeliveryState::Parked), 7), (Some(DeliveryState::Pending), 23)] {
        let list = async |page: Page| f.store.read().await.unwrap().list_deliveries(id, state, page).await.unwrap();
        let mut expected = all(&f, id).await;
        expected.retain(|delivery| state.is_none_or(|state| state == delivery.state));
        expected.sort_by_key(|delivery| std::cmp::Reverse((delivery.created_at, delivery.id)));
        assert_eq!(expected.len(), count);
        check_walks(list, Delivery::position, &expected, "deliveries").await;
        for max in [0, count as u64 - 1, count as u64, u64::MAX] {
            let counted = f.store.read().await.unwrap().count_deliveries(id, state, max).await.unwrap();
            assert_eq!(counted, Count::up_to(max, count as u64), "{max}, {state:?}");
        }
    }
}

pub async fn what_was_parked_is_put_back_in_order(f: Fixture) {
    let id = hook(&f, 1).await;
    for n in 1..=6 {
        add(&f, &[delivery(id, n, "a", true)], u32::try_from(n).unwrap()).await;
    }
    for _ in 0..6 {
        let taken = take(&f, id, 10, 9).await.remove(0);
        settle(&f, &taken, DeliveryState::Parked, None).await;
    }
    let put_back = async |from: u32, to: u32, limit: u32| {
        let mut tx = f.store.write().await.unwrap();
        let made = (build::moment(from), build::moment(to));
        let (before, until) = (build::moment(500), build::moment(GIVEN_UP));
        let subjects = tx.put_back_deliveries(id, DeliveryState::Parked, made, before, until, limit).await.unwrap();
        tx.release_deliveries(id, &subjects, build::moment(20)).await.unwrap();
        tx.commit().await.unwrap();
        subjects.len()
    };
    assert_eq!(put_back(4, 6, 9).await, 2);
    assert_eq!(put_back(1, 99, 2).await, 2, "the oldest first");
    let mut order = Vec::new();
    while let Some(taken) = take(&f, id, 20, 9).await.pop() {
        order.push(taken.event_position);
        assert_eq!(taken.attempts, 1, "counted anew");
        settle(&f, &taken, DeliveryState::Delivered, None).await;
    }
    assert_eq!(order, [4, 1, 2, 5], "what was due already goes first, then all in order");
}

pub async fn one_is_put_back_whatever_has_become_of_it(f: Fixture) {
    let id = hook(&f, 1).await;
    let rows = [delivery(id, 1, "a", true), delivery(id, 2, "a", false)];
    add(&f, &rows, 1).await;
    let put_back = async |row: &NewDelivery, second: u32| {
        let mut tx = f.store.write().await.unwrap();
        let (now, until) = (build::moment(second), build::moment(GIVEN_UP));
        let subject = tx.put_back_delivery(id, row.id, now, until).await.unwrap();
        let released = subject.clone().map_or(Vec::new(), |subject| vec![subject]);
        tx.release_deliveries(id, &released, now).await.unwrap();
        tx.commit().await.unwrap();
        subject
    };
    assert_eq!(put_back(&rows[1], 1).await.as_deref(), Some("a"));
    let taken = take(&f, id, 2, 9).await;
    assert_eq!(positions(&taken), [1], "it still waits for the one before");
    put_back(&rows[0], 3).await;
    assert_eq!(take(&f, id, 3, 9).await, [], "what is being made is not made twice");
    settle(&f, &taken[0], DeliveryState::Pending, Some(90)).await;
    assert_eq!(take(&f, id, 4, 9).await, []);
    put_back(&rows[0], 4).await;
    let taken = take(&f, id, 4, 9).await;
    assert_eq!((positions(&taken), taken[0].attempts), (vec![1], 2), "at once");
    settle(&f, &taken[0], DeliveryState::Delivered, None).await;
    put_back(&rows[0], 5).await;
    assert_eq!(positions(&take(&f, id, 5, 9).await), [2], "it waits for the one that is due");
    assert_eq!(put_back(&delivery(id, 9, "", true), 5).await, None);
}

pub async fn what_is_put_off_while_it_is_made_is_given_up_later(f: Fixture) {
    let id = hook(&f, 1).await;
    let rows = [delivery(id, 1, "a", true), delivery(id, 2, "b", true)];
    add(&f, &rows, 1).await;
    let taken = take(&f, id, 2, 9).await;
    let mut tx = f.store.write().await.unwrap();
    tx.put_back_delivery(id, rows[0].id, build::moment(3), build::moment(2 * GIVEN_UP)).await.unwrap();
    let outcome = Outcome { state: DeliveryState::Pending, due_at: Some(build::moment(GIVEN_UP)) };
    let states = [DeliveryState::Pending, DeliveryState::Parked];
    for (due, state) in taken.iter().zip(states) {
        assert_eq!(tx.settle_delivery(due, &outcome, &attempt()).await.unwrap(), Some(state));
    }
    tx.commit().await.unwrap();
    let mut back = all(&f, id).await;
    back.sort_by_key(|delivery| delivery.event_position);
    assert_eq!(back.iter().map(|delivery| delivery.state).collect::<Vec<_>>(), states);
    assert_eq!(back.iter().map(|delivery| delivery.due_at).collect::<Vec<_>>(), [outcome.due_at, None]);
}

pub async fn what_is_past_its_time_is_parked(f: Fixture) {
    let id = hook(&f, 1).await;
    add(&f, &[delivery(id, 1, "a", true), delivery(id, 2, "b", true)], 1).await;
    let mut tx = f.store.write().await.unwrap();
    let later = [delivery(id, 3, "a", true)];
    tx.insert_deliveries(&later, build::moment(2), build::moment(2 * GIVEN_UP)).await.unwrap();
    tx.commit().await.unwrap();
    let overdue = async |second| f.store.read().await.unwrap().overdue_webhooks(build::moment(second)).await.unwrap();
    assert_eq!(overdue(GIVEN_UP - 1).await, []);
    assert_eq!(overdue(GIVEN_UP).await, [id]);
    let held = take(&f, id, GIVEN_UP, 1).await;
    assert_eq!(positions(&held), [1]);
    let park = async |second: u32, limit| {
        let mut tx = f.store.write().await.unwrap();
        let now = build::moment(second);
        let subjects = tx.park_overdue_deliveries(id, now, limit).await.unwrap();
        tx.release_deliveries(id, &subjects, now).await.unwrap();
        tx.commit().await.unwrap();
        subjects
    };
    assert_eq!(park(GIVEN_UP, 9).await, ["b"], "not what is being made");
    assert_eq!(park(GIVEN_UP + HELD_S, 9).await, ["a"]);
    assert_eq!(positions(&take(&f, id, GIVEN_UP + HELD_S, 9).await), [3], "whoever waited for it goes on");
}

pub async fn a_webhook_that_is_paused_or_disabled_is_not_due(f: Fixture) {
    let id = hook(&f, 1).await;
    add(&f, &[delivery(id, 1, "a", true)], 1).await;
    let health = async |health| {
        let mut tx = f.store.write().await.unwrap();
        tx.set_webhook_health(id, health).await.unwrap();
        tx.commit().await.unwrap();
    };
    health(Health { failures: 5, paused_until: Some(build::moment(10)) }).await;
    assert_eq!(due(&f, 9).await, []);
    assert_eq!(due(&f, 10).await, [id]);
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        let store = f.store.clone();
        tasks.spawn(async move {
            let mut tx = store.write().await.unwrap();
            let is_mine = tx.claim_probe(id, build::moment(10), build::moment(70)).await.unwrap();
            tx.commit().await.unwrap();
            is_mine
        });
    }
    assert_eq!(winners(tasks).await, 1, "one finds out");
    assert_eq!(due(&f, 69).await, []);
    health(Health::default()).await;
    assert_eq!(due(&f, 10).await, [id]);
    let mut tx = f.store.write().await.unwrap();
    tx.update_webhook(&Webhook { status: WebhookStatus::Disabled, ..build::webhook(1) }).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(due(&f, 10).await, []);
}

pub async fn what_is_long_over_is_removed(f: Fixture) {
    let (id, other) = (hook(&f, 1).await, hook(&f, 2).await);
    for n in 1..=5 {
        add(&f, &[delivery(id, n, &format!("s{n}"), true)], u32::try_from(n).unwrap()).await;
    }
    add(&f, &[delivery(other, 1, "s", true)], 1).await;
    for taken in take(&f, id, 9, 4).await {
        settle(&f, &taken, DeliveryState::Delivered, None).await;
    }
    let remove = async |second: u32, limit| {
        let mut tx = f.store.write().await.unwrap();
        let removed = tx.remove_deliveries(build::moment(second), limit).await.unwrap();
        tx.commit().await.unwrap();
        removed
    };
    assert_eq!(remove(1, 9).await, 0);
    assert_eq!(remove(4, 2).await, 2);
    assert_eq!(remove(99, 9).await, 2);
    assert_eq!(remove(99, 9).await, 0, "what is pending stays");
    assert_eq!((all(&f, id).await.len(), all(&f, other).await.len()), (1, 1));
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.delete_webhook(id).await.unwrap());
    assert!(!tx.delete_webhook(id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!((all(&f, id).await.len(), all(&f, other).await.len()), (0, 1), "deliveries go with their webhook");
}

pub async fn the_deliveries_of_one_webhook_are_removed_a_few_at_a_time(f: Fixture) {
    let (id, other) = (hook(&f, 1).await, hook(&f, 2).await);
    let rows: Vec<_> = (1..=5).map(|n| delivery(id, n, &format!("s{n}"), true)).collect();
    add(&f, &rows, 1).await;
    add(&f, &[delivery(other, 1, "s", true)], 1).await;
    for (taken, state) in take(&f, id, 9, 2).await.iter().zip([DeliveryState::Delivered, DeliveryState::Parked]) {
        settle(&f, taken, state, None).await;
    }
    for (left, removed) in [(3, 2), (1, 2), (0, 1), (0, 0)] {
        let mut tx = f.store.write().await.unwrap();
        assert_eq!(tx.remove_deliveries_to(id, 2).await.unwrap(), removed);
        tx.commit().await.unwrap();
        assert_eq!((all(&f, id).await.len(), all(&f, other).await.len()), (left, 1));
    }
}

pub async fn whoever_waits_for_the_cursor_sees_what_its_holder_did(f: Fixture) {
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        let store = f.store.clone();
        tasks.spawn(async move {
            let mut tx = store.write().await.unwrap();
            let cursor = tx.wait_for_webhook_cursor().await.unwrap();
            tx.move_webhook_cursor(cursor + 1).await.unwrap();
            tx.commit().await.unwrap();
        });
    }
    tasks.join_all().await;
    assert_eq!(f.store.read().await.unwrap().webhook_cursor().await.unwrap(), 10, "none was passed over");
}

pub async fn fanning_out_and_settling_never_strand_a_subject(f: Fixture) {
    let id = hook(&f, 1).await;
    add(&f, &[delivery(id, 1, "a", true)], 1).await;
    for n in 2..=30 {
        let taken = take(&f, id, 9, 9).await.pop().unwrap_or_else(|| panic!("nothing is due before {n}"));
        // The last that is pending is settled while the next one is added: whoever is second sees what the first did.
        let settling = {
            let f = f.clone();
            tokio::spawn(async move {
                let mut tx = f.store.write().await.unwrap();
                tx.lock_webhook(id).await.unwrap();
                let outcome = Outcome { state: DeliveryState::Delivered, due_at: None };
                assert!(tx.settle_delivery(&taken, &outcome, &attempt()).await.unwrap().is_some());
                tx.release_deliveries(id, &[taken.subject], build::moment(9)).await.unwrap();
                tx.commit().await.unwrap();
            })
        };
        let mut tx = f.store.write().await.unwrap();
        tx.lock_webhooks().await.unwrap();
        tx.insert_deliveries(&[delivery(id, n, "a", true)], build::moment(9), build::moment(99)).await.unwrap();
        tx.commit().await.unwrap();
        settling.await.unwrap();
    }
}

pub(super) fn delivery(webhook: WebhookId, position: i64, subject: &str, is_first: bool) -> NewDelivery {
    let number = u128::try_from(position).unwrap() << 64;
    let of_webhook = webhook.as_uuid().as_u128() & u128::from(u64::MAX);
    let event = build::event(u32::try_from(position).unwrap());
    NewDelivery {
        id: DeliveryId::from_uuid(uuid::Uuid::from_u128(number | of_webhook)),
        webhook,
        event_position: position,
        event: event.id,
        kind: "session.ended".to_owned(),
        subject: subject.to_owned(),
        is_first,
    }
}

fn attempt() -> Attempt {
    Attempt { at: build::moment(9), status: Some(200), latency_ms: 1, answer: String::new(), error: None }
}

pub(super) fn positions(due: &[DueDelivery]) -> Vec<i64> {
    due.iter().map(|due| due.event_position).collect()
}

pub(super) async fn hook(f: &Fixture, n: u32) -> WebhookId {
    insert(&*f.store, &[build::webhook(n)]).await;
    build::webhook(n).id
}

async fn insert(store: &dyn Store, webhooks: &[Webhook]) {
    let mut tx = store.write().await.unwrap();
    for webhook in webhooks {
        tx.insert_webhook(webhook, &SealedSecrets { current: vec![1], previous: None }).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn find(store: &dyn Store, id: WebhookId) -> Option<Webhook> {
    store.read().await.unwrap().find_webhook(id).await.unwrap()
}

async fn secrets(store: &dyn Store, id: WebhookId) -> Option<SealedSecrets> {
    store.read().await.unwrap().find_webhook_secrets(id).await.unwrap()
}

pub(super) async fn add(f: &Fixture, rows: &[NewDelivery], second: u32) {
    let mut tx = f.store.write().await.unwrap();
    tx.lock_webhooks().await.unwrap();
    tx.insert_deliveries(rows, build::moment(second), build::moment(GIVEN_UP)).await.unwrap();
    tx.commit().await.unwrap();
}

pub(super) async fn due(f: &Fixture, second: u32) -> Vec<WebhookId> {
    f.store.read().await.unwrap().due_webhooks(build::moment(second)).await.unwrap()
}

pub(super) async fn take(f: &Fixture, id: WebhookId, second: u32, limit: u32) -> Vec<DueDelivery> {
    let mut tx = f.store.write().await.unwrap();
    let now = build::moment(second);
    let taken = tx.take_due_deliveries(id, now, now.plus_seconds(HELD_S), limit).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

async fn settle(f: &Fixture, taken: &DueDelivery, state: DeliveryState, again: Option<u32>) -> bool {
    let mut tx = f.store.write().await.unwrap();
    let webhook = tx.lock_webhooks().await.unwrap();
    let outcome = Outcome { state, due_at: again.map(build::moment) };
    let settled = tx.settle_delivery(taken, &outcome, &attempt()).await.unwrap();
    for webhook in webhook {
        tx.release_deliveries(webhook.id, std::slice::from_ref(&taken.subject), build::moment(3)).await.unwrap();
    }
    tx.commit().await.unwrap();
    settled.is_some()
}

async fn all(f: &Fixture, id: WebhookId) -> Vec<Delivery> {
    let page = Page::new(Some(200), None, None).unwrap();
    f.store.read().await.unwrap().list_deliveries(id, None, page).await.unwrap()
}
