//! The log of events.

use std::sync::Arc;
use std::time::Duration;

use denizen_domain::events::store::{LogBounds, RecordFilter};
use denizen_domain::events::{Event, NewEvent, chain};
use denizen_domain::store::Store;

use super::insert;
use crate::{Fixture, build};

/// Records what happened, in a transaction.
async fn record(store: &dyn Store, events: impl IntoIterator<Item = NewEvent>) {
    let mut tx = store.write().await.unwrap();
    for event in events {
        tx.record_event(event);
    }
    tx.commit().await.unwrap();
}

/// The whole log, once everything has its place.
async fn log(store: &dyn Store) -> Vec<Event> {
    store.seal_events().await.unwrap();
    store.read().await.unwrap().events_between(0, i64::MAX, 10_000).await.unwrap()
}

async fn bounds(store: &dyn Store) -> LogBounds {
    store.seal_events().await.unwrap();
    store.read().await.unwrap().log_bounds().await.unwrap()
}

fn numbers(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.position).collect()
}

fn check_chain(events: &[Event], mut previous: [u8; 32]) {
    for event in events {
        assert_eq!(event.hash, chain::hash(&previous, event), "the chain breaks at {}", event.position);
        previous = event.hash;
    }
}

pub async fn what_is_recorded_is_read_as_it_was(f: Fixture) {
    record(&*f.store, [build::event(1), build::event(2)]).await;
    record(&*f.store, [NewEvent { address: None, user_agent: None, ..build::event(3) }]).await;
    let log = log(&*f.store).await;
    assert_eq!(numbers(&log), [1, 2, 3]);
    let unplaced: Vec<Event> = log.iter().cloned().map(|event| Event { position: 0, hash: [0; 32], ..event }).collect();
    let third = NewEvent { address: None, user_agent: None, ..build::event(3) };
    assert_eq!(unplaced, [build::event(1), build::event(2), third].map(NewEvent::unplaced));
    check_chain(&log, chain::GENESIS);
    let end = bounds(&*f.store).await;
    assert_eq!(end, LogBounds { floor: 0, floor_hash: chain::GENESIS, head: 3, head_hash: log[2].hash });
}

pub async fn what_is_rolled_back_never_happened(f: Fixture) {
    record(&*f.store, [build::event(1)]).await;
    let mut tx = f.store.write().await.unwrap();
    tx.record_event(build::event(2));
    drop(tx);
    record(&*f.store, [build::event(3)]).await;
    let log = log(&*f.store).await;
    assert_eq!(log.iter().map(|event| event.id).collect::<Vec<_>>(), [build::event(1).id, build::event(3).id]);
    assert_eq!(numbers(&log), [1, 2], "without a gap");
}

pub async fn many_are_recorded_at_once(f: Fixture) {
    record(&*f.store, (0..1_201).map(build::event)).await;
    let log = log(&*f.store).await;
    assert_eq!(numbers(&log), (1..=1_201).collect::<Vec<_>>());
    assert!(log.iter().zip(0..).all(|(event, n)| event.id == build::event(n).id), "in their order");
    check_chain(&log, chain::GENESIS);
}

pub async fn a_reader_meets_each_event_once_and_in_order(f: Fixture) {
    const WRITERS: u32 = 16;
    const EACH: u32 = 12;
    let store: Arc<dyn Store> = Arc::clone(&f.store) as _;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for n in 0..EACH {
                let mut tx = store.write().await.unwrap();
                tx.record_event(build::event(writer * 1_000 + n));
                // Transactions of different lengths: some overtake others, and every fifth is given up.
                if !writer.is_multiple_of(3) {
                    tx.log_bounds().await.unwrap();
                    tokio::time::sleep(Duration::from_millis(u64::from((writer + n) % 7))).await;
                }
                if n % 5 == 4 { drop(tx) } else { tx.commit().await.unwrap() }
            }
        });
    }
    // Two who give places, as two nodes do, and a reader that goes on from where it was.
    let mut met: Vec<Event> = Vec::new();
    loop {
        let is_over = writers.is_empty();
        let (one, other) = tokio::join!(store.seal_events(), store.seal_events());
        one.unwrap();
        other.unwrap();
        let after = met.last().map_or(0, |event| event.position);
        met.extend(store.read().await.unwrap().events_between(after, i64::MAX, 1_000).await.unwrap());
        if is_over {
            break;
        }
        while let Some(done) = writers.try_join_next() {
            done.unwrap();
        }
    }
    let kept = WRITERS * (EACH - EACH / 5);
    assert_eq!(numbers(&met), (1..=i64::from(kept)).collect::<Vec<_>>());
    check_chain(&met, chain::GENESIS);
    assert_eq!(log(&*f.store).await, met, "what was met is what there is");
    for writer in 0..WRITERS {
        let own: Vec<_> = (0..EACH).filter(|n| n % 5 != 4).map(|n| build::event(writer * 1_000 + n).id).collect();
        let met: Vec<_> = met.iter().map(|event| event.id).filter(|id| own.contains(id)).collect();
        assert_eq!(met, own, "each one's in their order");
    }
}

pub async fn writers_on_two_stores_share_one_log(f: Fixture) {
    const WRITERS: u32 = 12;
    const EACH: u32 = 10;
    let stores: [Arc<dyn Store>; 2] = [Arc::clone(&f.store), f.database.open().unwrap()];
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&stores[writer as usize % 2]);
        writers.spawn(async move {
            for n in 0..EACH {
                record(&*store, (0..=n % 3).map(|part| build::event(writer * 1_000 + n * 10 + part))).await;
            }
        });
    }
    // Both assign positions while the writers write, and each call on one store races with several on the other.
    let mut assigned = 0;
    while !writers.is_empty() {
        let [one, other] = &stores;
        let calls = tokio::join!(one.seal_events(), other.seal_events(), one.seal_events(), other.seal_events());
        assigned += [calls.0, calls.1, calls.2, calls.3].into_iter().map(Result::unwrap).sum::<u64>();
        while let Some(done) = writers.try_join_next() {
            done.unwrap();
        }
    }
    assigned += stores[1].seal_events().await.unwrap();
    let log = log(&*stores[1]).await;
    let count = WRITERS * (0..EACH).map(|n| n % 3 + 1).sum::<u32>();
    assert_eq!(numbers(&log), (1..=i64::from(count)).collect::<Vec<_>>(), "each once, without a gap");
    assert!(assigned == 0 || assigned == u64::from(count), "each was assigned by one call: {assigned} of {count}");
    check_chain(&log, chain::GENESIS);
    for writer in 0..WRITERS {
        let parts = (0..EACH).flat_map(|n| (0..=n % 3).map(move |part| writer * 1_000 + n * 10 + part));
        let own: Vec<_> = parts.map(|n| build::event(n).id).collect();
        let met: Vec<_> = log.iter().map(|event| event.id).filter(|id| own.contains(id)).collect();
        assert_eq!(met, own, "each writer's in their order");
    }
    stores[1].close().await;
}

pub async fn events_of_a_store_that_stops_after_the_commit_are_not_lost(f: Fixture) {
    let stopped = f.database.open().unwrap();
    record(&*stopped, [build::event(1), build::event(2)]).await;
    stopped.close().await;
    drop(stopped);
    record(&*f.store, [build::event(3)]).await;
    let log = log(&*f.store).await;
    assert_eq!(numbers(&log), [1, 2, 3]);
    let ids: Vec<_> = log.iter().map(|event| event.id).collect();
    assert_eq!(ids, [1, 2, 3].map(|n| build::event(n).id));
    check_chain(&log, chain::GENESIS);
    assert_eq!(f.store.seal_events().await.unwrap(), 0, "nothing is left");
}

pub async fn a_filter_finds_what_passes_it(f: Fixture) {
    record(&*f.store, (0..30).map(|n| NewEvent { about: build::user(n % 3).id.into(), ..build::event(n) })).await;
    f.store.seal_events().await.unwrap();
    let find = async |filter: RecordFilter, after: i64, limit: u32| {
        let found = f.store.read().await.unwrap().find_events(&filter, after, i64::MAX, limit).await.unwrap();
        numbers(&found)
    };
    let about = || RecordFilter { about: Some(build::user(1).id.to_string()), ..RecordFilter::default() };
    assert_eq!(find(about(), 0, 100).await, (2..=30).step_by(3).collect::<Vec<_>>());
    assert_eq!(find(about(), 5, 2).await, [8, 11]);
    let actor = Some(build::user(7).id.as_uuid());
    assert_eq!(find(RecordFilter { actor, ..RecordFilter::default() }, 0, 9).await, [8]);
    assert_eq!(find(RecordFilter { actor, ..about() }, 0, 9).await, [8]);
    let from = Some(build::moment(10));
    let until = Some(build::moment(12));
    assert_eq!(find(RecordFilter { from, until, ..RecordFilter::default() }, 0, 9).await, [11, 12]);
    assert_eq!(find(RecordFilter { kinds: Some(vec!["user.created"]), ..about() }, 0, 9).await, [0; 0]);
    let kinds = Some(vec!["user.created", "session.ended"]);
    assert_eq!(find(RecordFilter { kinds, ..RecordFilter::default() }, 28, 9).await, [29, 30]);
    let nth = async |filter: RecordFilter, after, until, number| {
        f.store.read().await.unwrap().nth_event(&filter, after, until, number).await.unwrap()
    };
    assert_eq!(nth(about(), 0, 30, 0).await, Some(2));
    assert_eq!(nth(RecordFilter { actor, ..about() }, 2, 30, 1).await, Some(8), "of the subject, done by any actor");
    assert_eq!(nth(about(), 2, 7, 1).await, None, "up to a position");
    assert_eq!(nth(RecordFilter { actor, ..RecordFilter::default() }, 0, 30, 0).await, Some(8));
    assert_eq!(nth(RecordFilter { actor, ..RecordFilter::default() }, 0, 30, 1).await, None);
    assert_eq!(nth(RecordFilter::default(), 0, 30, 0).await, None);
    let first = async |second| f.store.read().await.unwrap().first_event_since(build::moment(second)).await.unwrap();
    assert_eq!((first(0).await, first(7).await, first(99).await), (Some(1), Some(8), None));
    let last = async |second| f.store.read().await.unwrap().last_event_before(build::moment(second)).await.unwrap();
    assert_eq!((last(0).await, last(7).await, last(99).await), (None, Some(7), Some(30)));
}

pub async fn what_is_old_is_removed_from_the_beginning(f: Fixture) {
    // The fourth is younger than those after it: it and they stay until it is old, too.
    let moments = [1, 2, 3, 50, 4, 5];
    let events = (0..6).zip(moments).map(|(n, at)| NewEvent { occurred_at: build::moment(at), ..build::event(n) });
    record(&*f.store, events).await;
    let all = log(&*f.store).await;
    let remove = async |second: u32, limit: u32| {
        let mut tx = f.store.write().await.unwrap();
        let removed = tx.remove_events(build::moment(second), limit).await.unwrap();
        tx.commit().await.unwrap();
        removed
    };
    assert_eq!(remove(1, 9).await, 0);
    assert_eq!(remove(40, 2).await, 2);
    assert_eq!(remove(40, 9).await, 1);
    assert_eq!(remove(40, 9).await, 0);
    let rest = log(&*f.store).await;
    assert_eq!(numbers(&rest), [4, 5, 6]);
    let end = bounds(&*f.store).await;
    assert_eq!((end.floor, end.floor_hash, end.head), (3, all[2].hash, 6));
    check_chain(&rest, end.floor_hash);
    assert_eq!(remove(99, 9).await, 3);
    record(&*f.store, [build::event(9)]).await;
    let rest = log(&*f.store).await;
    assert_eq!(numbers(&rest), [7], "numbers are not given twice");
    check_chain(&rest, bounds(&*f.store).await.floor_hash);
}

pub async fn the_order_is_that_of_the_changes(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (store, id) = (Arc::clone(&f.store), user.id);
        writers.spawn(async move {
            let mut tx = store.write().await.unwrap();
            // Something of its own first, so that the order of beginning is another than that of the change.
            tx.enqueue_mail(&build::mail(n)).await.unwrap();
            let user = tx.lock_user(id).await.unwrap().unwrap();
            tx.update_user(&denizen_domain::users::User { version: user.version + 1, ..user.clone() }).await.unwrap();
            let data = [("version".to_owned(), denizen_domain::value::Value::Integer(user.version + 1))].into();
            tx.record_event(NewEvent { data, ..build::event(n) });
            tx.commit().await.unwrap();
        });
    }
    writers.join_all().await;
    let versions: Vec<_> = log(&*f.store).await.into_iter().map(|event| event.data["version"].clone()).collect();
    let expected: Vec<_> = (2..=21).map(denizen_domain::value::Value::Integer).collect();
    assert_eq!(versions, expected);
}

pub async fn whoever_waits_is_woken_by_a_commit(f: Fixture) {
    let waiting = f.store.events_recorded();
    record(&*f.store, [build::event(1)]).await;
    tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("woken");
}
