//! What two nodes do at once, as only this database lets them: without waiting for each other.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use denizen_domain::access::Subject;
use denizen_domain::authority::AuthorityLock;
use denizen_domain::keys::SealedRoot;
use denizen_domain::sessions::store::Rotation;
use denizen_domain::sessions::{EndReason, Session};
use denizen_domain::store::Store;
use denizen_domain::users::User;
use denizen_infra_postgres::{PostgresOptions, PostgresStore, migrate};
use denizen_testkit::build::{self, moment};
use denizen_testkit::postgres::PostgresDatabase;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longer than any statement takes, shorter than anybody is willing to wait for a lock.
const AT_ONCE: Duration = Duration::from_secs(3);

struct World {
    nodes: [Arc<PostgresStore>; 2],
    user: User,
    sessions: Vec<Session>,
    database: PostgresDatabase,
}

/// Two nodes, and a user with so many sessions.
async fn world(sessions: u32) -> World {
    let database = PostgresDatabase::create().await;
    let options = PostgresOptions::new(database.url());
    migrate(&options).await.unwrap();
    let nodes = [(); 2].map(|()| Arc::new(PostgresStore::open(&options).unwrap()));
    let user = build::user(1);
    let sessions: Vec<_> = (0..sessions).map(|n| build::session(&user, n)).collect();
    let mut tx = nodes[0].write().await.unwrap();
    tx.insert_user(&user).await.unwrap();
    for session in &sessions {
        tx.insert_session(session).await.unwrap();
    }
    tx.commit().await.unwrap();
    World { nodes, user, sessions, database }
}

#[tokio::test]
async fn of_many_refreshes_one_rotates_and_all_see_it() {
    let world = world(1).await;
    let rotation =
        Rotation { id: world.sessions[0].id, from_generation: 0, at: moment(2), idle_expires_at: moment(2_000) };
    let mut tasks = JoinSet::new();
    for n in 0..32 {
        let node = Arc::clone(&world.nodes[n % 2]);
        tasks.spawn(async move { node.rotate_session(&rotation).await.unwrap() });
    }
    let rotated = tasks.join_all().await;
    assert_eq!(rotated.iter().filter(|rotated| rotated.is_rotated).count(), 1);
    for rotated in rotated {
        let (state, user) = rotated.found.unwrap();
        assert_eq!((state.generation, state.refreshed_at, user.id), (1, moment(2), world.user.id));
    }
}

#[tokio::test]
async fn a_refresh_that_waits_for_an_end_comes_too_late() {
    let world = world(1).await;
    let id = world.sessions[0].id;
    let mut tx = world.nodes[0].write().await.unwrap();
    assert!(tx.end_session(id, EndReason::Revoked, moment(2)).await.unwrap().is_some());
    let rotation = Rotation { id, from_generation: 0, at: moment(3), idle_expires_at: moment(2_000) };
    let node = Arc::clone(&world.nodes[1]);
    let refresh = tokio::spawn(async move { node.rotate_session(&rotation).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(50)).await;
    tx.commit().await.unwrap();
    let rotated = refresh.await.unwrap();
    assert!(!rotated.is_rotated);
    assert!(rotated.found.unwrap().0.is_ended);
}

#[tokio::test]
async fn nodes_remove_different_sessions_without_waiting() {
    let world = world(10).await;
    let (mut first, mut second) = (world.nodes[0].write().await.unwrap(), world.nodes[1].write().await.unwrap());
    let now = moment(99_999);
    assert_eq!(timeout(AT_ONCE, first.remove_expired_sessions(now, 6)).await.unwrap().unwrap(), 6);
    assert_eq!(timeout(AT_ONCE, second.remove_expired_sessions(now, 6)).await.unwrap().unwrap(), 4);
    first.commit().await.unwrap();
    second.commit().await.unwrap();
    let mut tx = world.nodes[0].write().await.unwrap();
    assert_eq!(tx.remove_expired_sessions(now, 6).await.unwrap(), 0);
}

#[tokio::test]
async fn a_use_does_not_wait_for_who_holds_its_row() {
    let world = world(2).await;
    let key = build::api_key(Subject::User(world.user.id), 1);
    let mut tx = world.nodes[0].write().await.unwrap();
    tx.insert_api_key(&key, &[1; 32]).await.unwrap();
    tx.commit().await.unwrap();

    let [held, free] = [&world.sessions[0], &world.sessions[1]].map(|session| session.id);
    let mut holder = world.nodes[0].write().await.unwrap();
    assert!(holder.end_session(held, EndReason::Revoked, moment(20)).await.unwrap().is_some());
    assert!(holder.delete_api_key(key.id).await.unwrap());
    let mut tx = world.nodes[1].write().await.unwrap();
    let uses = [(held, moment(30)), (free, moment(30))];
    timeout(AT_ONCE, tx.touch_sessions(&uses)).await.unwrap().unwrap();
    timeout(AT_ONCE, tx.touch_api_keys(&[(key.id, moment(30))])).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    drop(holder);

    let page = denizen_domain::page::Page::new(None, None, None).unwrap();
    let listed = world.nodes[0].read().await.unwrap().list_sessions(world.user.id, moment(40), page).await.unwrap();
    let found: Vec<_> = listed.iter().map(|session| (session.id, session.last_used_at)).collect();
    assert_eq!(found, [(free, moment(30)), (held, world.sessions[0].last_used_at)]);
}

#[tokio::test]
async fn of_many_first_root_keys_one_is_kept() {
    let world = world(0).await;
    let mut tasks = JoinSet::new();
    for n in 0..16 {
        let node = Arc::clone(&world.nodes[n % 2]);
        tasks.spawn(async move {
            let master_id = format!("master-{n}");
            let root = SealedRoot { master_id, sealed: vec![1], created_at: moment(1) };
            let mut tx = node.write().await.unwrap();
            let is_first = tx.insert_first_root(&root).await.unwrap();
            tx.commit().await.unwrap();
            is_first
        });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|&is_first| is_first).count(), 1);
    assert_eq!(world.nodes[0].read().await.unwrap().sealed_roots().await.unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_leaves_while_a_transaction_begins_leaves_none_open() {
    let world = world(0).await;
    let store = single_connection(&world).await;
    let locks = AuthorityLock::on(&[world.user.id.into()]);
    for turn in 0..72 {
        // Asked, and given up a little later each time: before there is a connection, before its answer, after it.
        let locks = if turn % 2 == 0 { &[][..] } else { &locks };
        give_up_after(1 + turn % 12, store.write_under(locks)).await;
        // A query that stands alone must not find itself in a transaction that nobody commits.
        store.ping().await.unwrap();
        store.snapshot().await.unwrap();
        lock_at_once(&world).await;
    }
}

#[tokio::test]
async fn a_caller_who_leaves_while_waiting_for_a_lock_keeps_none() {
    let world = world(0).await;
    let store = Arc::new(single_connection(&world).await);
    let locks = AuthorityLock::on(&[world.user.id.into()]);
    let holder = world.nodes[0].write_under(&locks).await.unwrap();
    let waiting = timeout(Duration::from_millis(100), store.write_under(&locks)).await;
    assert!(waiting.is_err(), "it waits");
    drop(holder);
    lock_at_once(&world).await;
    timeout(AT_ONCE, store.ping()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_commit_whose_caller_leaves_is_whole() {
    let world = world(0).await;
    let store = single_connection(&world).await;
    let mut committed = 0;
    for turn in 0..36 {
        let user = build::user(100 + turn);
        let mut tx = store.write().await.unwrap();
        assert!(tx.insert_user(&user).await.unwrap());
        tx.record_event(build::event(turn));
        give_up_after(1 + turn % 6, tx.commit()).await;
        store.ping().await.unwrap();
        let is_there = store.read().await.unwrap().find_user(user.id).await.unwrap().is_some();
        assert_eq!(store.seal_events().await.unwrap(), u64::from(is_there), "the change and its event");
        committed += u32::from(is_there);
    }
    assert!(committed > 0);
}

/// A store that has one connection to this database, and has used it.
async fn single_connection(world: &World) -> PostgresStore {
    let options = PostgresOptions { max_connections: 1, ..PostgresOptions::new(world.database.url()) };
    let store = PostgresStore::open(&options).unwrap();
    store.ping().await.unwrap();
    store
}

/// Polls so often at most, then drops.
async fn give_up_after<T>(mut polls: u32, mut work: impl Future<Output = T> + Unpin) {
    let giving_up = std::future::poll_fn(|context| {
        polls -= 1;
        context.waker().wake_by_ref();
        if Pin::new(&mut work).poll(context).is_ready() || polls == 0 { Poll::Ready(()) } else { Poll::Pending }
    });
    giving_up.await;
}

/// Locks the user on another node, without waiting for a transaction that was left.
async fn lock_at_once(world: &World) {
    let locks = AuthorityLock::on(&[world.user.id.into()]);
    let locked = timeout(AT_ONCE, world.nodes[1].write_under(&locks)).await;
    drop(locked.unwrap().unwrap());
}
