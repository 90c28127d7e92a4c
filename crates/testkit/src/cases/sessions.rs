//! Sessions.

use std::net::IpAddr;

use denizen_domain::access::{Origin, Permissions};
use denizen_domain::credentials::PasswordHash;
use denizen_domain::id::{SessionId, UserId};
use denizen_domain::page::{PAGE_MAX, Page};
use denizen_domain::roles::{Role, RoleName};
use denizen_domain::sessions::store::{Displacement, Opened, Opening, Rotated, Rotation};
use denizen_domain::sessions::{EndReason, Session, SessionState};
use denizen_domain::store::Store;
use denizen_domain::time::Timestamp;
use denizen_domain::users::{DisplayName, Status, User};
use denizen_domain::value::Value;

use super::{check_walks, insert};
use crate::{Fixture, build};

pub async fn the_state_follows_the_user(f: Fixture) {
    let user = build::user(1);
    let address: IpAddr = "2001:db8::1".parse().unwrap();
    let origin =
        Origin { address: Some(address), user_agent: Some("Ünïcode/1.0 ".repeat(20)), language: None, trace: None };
    let session = Session { origin, ..build::session(&user, 1) };
    insert(&*f.store, std::slice::from_ref(&user)).await;
    insert_sessions(&*f.store, std::slice::from_ref(&session)).await;

    let fresh = SessionState {
        user_id: user.id,
        role: RoleName::user(),
        permissions: Permissions::NONE,
        status: Status::Active,
        generation: 0,
        refreshed_at: session.refreshed_at,
        idle_expires_at: session.idle_expires_at,
        expires_at: session.expires_at,
        proven_at: session.proven_at,
        second_factor_at: None,
        auth_methods: session.authenticated.methods,
        owes_second_factor: false,
        is_ended: false,
    };
    assert_eq!(state(&*f.store, session.id).await, Some(fresh.clone()));
    assert_eq!(state(&*f.store, build::session(&user, 2).id).await, None);

    let mut tx = f.store.write().await.unwrap();
    let role = build::role(1);
    assert!(tx.update_user(&User { role: role.name.clone(), version: 2, ..user.clone() }).await.unwrap());
    tx.commit().await.unwrap();
    let nowhere = SessionState { role: role.name.clone(), ..fresh.clone() };
    assert_eq!(state(&*f.store, session.id).await, Some(nowhere.clone()), "a role that is nowhere allows nothing");
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.insert_role(&role).await.unwrap());
    tx.commit().await.unwrap();
    let allowed = SessionState { permissions: role.permissions, ..nowhere.clone() };
    assert_eq!(state(&*f.store, session.id).await, Some(allowed));
    let mut tx = f.store.write().await.unwrap();
    tx.update_role(&Role { permissions: Permissions::ALL, ..role }).await.unwrap();
    tx.commit().await.unwrap();
    let allowed = SessionState { permissions: Permissions::ALL, ..nowhere };
    assert_eq!(state(&*f.store, session.id).await, Some(allowed));

    let mut tx = f.store.write().await.unwrap();
    let changed = User { role: RoleName::admin(), status: Status::Disabled, version: 2, ..user };
    assert!(tx.update_user(&changed).await.unwrap());
    tx.commit().await.unwrap();
    let (role, permissions) = (RoleName::admin(), Permissions::ALL);
    let expected = SessionState { role, permissions, status: Status::Disabled, ..fresh };
    assert_eq!(state(&*f.store, session.id).await, Some(expected.clone()));

    let mut tx = f.store.write().await.unwrap();
    assert!(tx.end_session(session.id, EndReason::SignedOut, build::moment(2)).await.unwrap().is_some());
    tx.commit().await.unwrap();
    assert_eq!(state(&*f.store, session.id).await, Some(SessionState { is_ended: true, ..expected }));
}

pub async fn only_live_sessions_end(f: Fixture) {
    let (user, other) = (build::user(1), build::user(2));
    insert(&*f.store, &[user.clone(), other.clone()]).await;
    let [a, b, c, expired, theirs] = [
        build::session(&user, 1),
        build::session(&user, 2),
        build::session(&user, 3),
        Session { expires_at: build::moment(9), ..build::session(&user, 4) },
        build::session(&other, 5),
    ];
    insert_sessions(&*f.store, &[a.clone(), b.clone(), c.clone(), expired.clone(), theirs.clone()]).await;

    let at = build::moment(10);
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.end_session(a.id, EndReason::SignedOut, at).await.unwrap().is_some());
    assert!(tx.end_session(a.id, EndReason::UserDisabled, at).await.unwrap().is_none(), "over already");
    assert!(tx.end_session(expired.id, EndReason::SignedOut, at).await.unwrap().is_none(), "expired");
    assert!(tx.end_session(build::session(&user, 99).id, EndReason::SignedOut, at).await.unwrap().is_none(), "unknown");
    assert_eq!(tx.end_user_sessions(user.id, EndReason::UserDisabled, at).await.unwrap().len(), 2);
    assert_eq!(tx.end_user_sessions(user.id, EndReason::UserDisabled, at).await.unwrap().len(), 0);
    tx.commit().await.unwrap();

    for ended in [&a, &b, &c] {
        assert!(state(&*f.store, ended.id).await.unwrap().is_ended);
    }
    assert!(!state(&*f.store, expired.id).await.unwrap().is_ended);
    assert!(!state(&*f.store, theirs.id).await.unwrap().is_ended);
}

pub async fn the_oldest_sessions_end_beyond_the_limit(f: Fixture) {
    let (user, other) = (build::user(1), build::user(2));
    insert(&*f.store, &[user.clone(), other.clone()]).await;
    let sessions: Vec<_> = (1..=6).map(|n| build::session(&user, n)).collect();
    insert_sessions(&*f.store, &sessions).await;
    insert_sessions(&*f.store, &[build::session(&other, 7)]).await;
    let now = sessions[5].created_at;
    let end = async |keep, limit| {
        let mut tx = f.store.write().await.unwrap();
        let mut ended = tx.end_oldest_sessions(user.id, keep, limit, now).await.unwrap();
        tx.commit().await.unwrap();
        ended.sort_unstable();
        ended
    };
    assert_eq!(end(6, 2).await, []);
    assert_eq!(end(5, 2).await, [sessions[0].id]);
    assert_eq!(end(1, 2).await, [sessions[1].id, sessions[2].id], "no more than the limit");
    assert_eq!(end(1, 9).await, [sessions[3].id, sessions[4].id]);
    assert_eq!(end(0, 0).await, []);
    for session in &sessions[..5] {
        assert!(state(&*f.store, session.id).await.unwrap().is_ended);
    }
    assert!(state(&*f.store, sessions[5].id).await.unwrap().is_live(now));
    assert!(!state(&*f.store, build::session(&other, 7).id).await.unwrap().is_ended);
}

pub async fn an_opened_session_ends_the_oldest(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let hash = PasswordHash::from_encoded("a hash".to_owned());
    let mut tx = f.store.write().await.unwrap();
    tx.set_password(user.id, &hash, build::EPOCH).await.unwrap();
    tx.commit().await.unwrap();
    for n in 1..=4 {
        let opening = Opening {
            session: build::session(&user, n),
            proven: hash.clone(),
            renewed: None,
            forgiven: Vec::new(),
            event: build::event(n * 10),
            displacement: Displacement { keep: 3, events: [build::event(n * 10 + 1), build::event(n * 10 + 2)] },
        };
        assert!(matches!(f.store.open_session(&opening).await.unwrap(), Opened::Session(_)));
    }
    let ended = async |n| state(&*f.store, build::session(&user, n).id).await.unwrap().is_ended;
    assert_eq!([ended(1).await, ended(2).await, ended(3).await, ended(4).await], [true, false, false, false]);
    f.store.seal_events().await.unwrap();
    let events = f.store.read().await.unwrap().events_between(0, i64::MAX, 100).await.unwrap();
    let named = build::session(&user, 1).id.to_string();
    let named = Some(&Value::String(named));
    assert_eq!(events.len(), 5);
    assert_eq!(events.iter().filter(|event| event.data.get("session_id") == named).count(), 1);
}

pub async fn the_kept_session_lives(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let sessions: Vec<_> = (0..4).map(|n| build::session(&user, n)).collect();
    insert_sessions(&*f.store, &sessions).await;

    let mut tx = f.store.write().await.unwrap();
    let at = build::moment(10);
    let keep = sessions[1].id;
    assert_eq!(tx.end_other_sessions(user.id, keep, EndReason::PasswordChanged, at).await.unwrap().len(), 3);
    assert_eq!(tx.end_other_sessions(user.id, keep, EndReason::PasswordChanged, at).await.unwrap().len(), 0);
    tx.commit().await.unwrap();
    for session in &sessions {
        assert_eq!(state(&*f.store, session.id).await.unwrap().is_ended, session.id != keep);
    }
}

pub async fn a_generation_is_left_once(f: Fixture) {
    let user = build::user(1);
    let session = build::session(&user, 1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    insert_sessions(&*f.store, std::slice::from_ref(&session)).await;
    let (at, idle_expires_at) = (build::moment(5), build::moment(3_000));
    let rotation = Rotation { id: session.id, from_generation: 0, at, idle_expires_at };

    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let store = f.store.clone();
        tasks.spawn(async move {
            let mut tx = store.write().await.unwrap();
            let is_rotated = tx.rotate_session(&rotation).await.unwrap();
            tx.commit().await.unwrap();
            is_rotated
        });
    }
    let winners = tasks.join_all().await.into_iter().filter(|&is_rotated| is_rotated).count();
    assert_eq!(winners, 1);
    let state = state(&*f.store, session.id).await.unwrap();
    assert_eq!((state.generation, state.refreshed_at, state.idle_expires_at), (1, at, idle_expires_at));
}

pub async fn only_live_sessions_rotate(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let at = build::moment(10);
    let [live, ended, idle, expired] = [
        build::session(&user, 1),
        build::session(&user, 2),
        Session { idle_expires_at: at, ..build::session(&user, 3) },
        Session { expires_at: at, ..build::session(&user, 4) },
    ];
    insert_sessions(&*f.store, &[live.clone(), ended.clone(), idle.clone(), expired.clone()]).await;
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.end_session(ended.id, EndReason::SignedOut, build::moment(9)).await.unwrap().is_some());
    for (session, generation, expected) in [
        (&live, 1, false),
        (&live, 0, true),
        (&live, 0, false),
        (&ended, 0, false),
        (&idle, 0, false),
        (&expired, 0, false),
    ] {
        let rotation = Rotation { id: session.id, from_generation: generation, at, idle_expires_at: build::moment(99) };
        assert_eq!(tx.rotate_session(&rotation).await.unwrap(), expected, "{session:?} from {generation}");
    }
}

pub async fn a_session_needs_its_user(f: Fixture) {
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.insert_session(&build::session(&build::user(1), 1)).await.is_err());
}

pub async fn a_rotation_finds_the_session_and_its_user(f: Fixture) {
    let user = build::user(1);
    let session = build::session(&user, 1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    insert_sessions(&*f.store, std::slice::from_ref(&session)).await;
    let (at, idle_expires_at) = (build::moment(5), build::moment(3_000));
    let rotation = Rotation { id: session.id, from_generation: 0, at, idle_expires_at };
    for is_rotated in [true, false] {
        let rotated = f.store.rotate_session(&rotation).await.unwrap();
        let state = state(&*f.store, session.id).await.unwrap();
        assert_eq!((state.generation, state.refreshed_at, state.idle_expires_at), (1, at, idle_expires_at));
        assert_eq!(rotated, Rotated { is_rotated, found: Some((state, user.clone())) });
    }
    let unknown = Rotation { id: build::session(&user, 2).id, ..rotation };
    assert_eq!(f.store.rotate_session(&unknown).await.unwrap(), Rotated { is_rotated: false, found: None });
}

pub async fn a_session_never_outlives_its_end(f: Fixture) {
    let user = build::user(1);
    let session = build::session(&user, 1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    insert_sessions(&*f.store, std::slice::from_ref(&session)).await;
    let idle_expires_at = session.expires_at.plus_seconds(1);
    let rotation = Rotation { id: session.id, from_generation: 0, at: build::moment(5), idle_expires_at };
    assert!(f.store.rotate_session(&rotation).await.unwrap().is_rotated);
    assert_eq!(state(&*f.store, session.id).await.unwrap().idle_expires_at, session.expires_at);
}

pub async fn only_live_sessions_are_listed(f: Fixture) {
    let (user, other) = (build::user(1), build::user(2));
    insert(&*f.store, &[user.clone(), other.clone()]).await;
    let now = build::moment(10);
    let address: IpAddr = "192.0.2.7".parse().unwrap();
    let live = Session {
        generation: 3,
        refreshed_at: build::moment(5),
        last_used_at: build::moment(7),
        origin: Origin {
            address: Some(address),
            user_agent: Some("Ünïcode/1.0 ".repeat(20)),
            language: None,
            trace: None,
        },
        label: Some(DisplayName::from_stored("Anna's 📱".to_owned())),
        ..build::session(&user, 1)
    };
    let [bare, ended, idle, expired, theirs] = [
        build::session(&user, 2),
        build::session(&user, 3),
        Session { idle_expires_at: now, ..build::session(&user, 4) },
        Session { expires_at: now, ..build::session(&user, 5) },
        build::session(&other, 6),
    ];
    insert_sessions(&*f.store, &[live.clone(), bare.clone(), ended.clone(), idle, expired, theirs.clone()]).await;
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.end_session(ended.id, EndReason::Revoked, build::moment(9)).await.unwrap().is_some());
    tx.commit().await.unwrap();
    assert_eq!(list(&*f.store, user.id, now).await, [bare, live]);
    assert_eq!(list(&*f.store, other.id, now).await, [theirs]);
    assert_eq!(list(&*f.store, build::user(3).id, now).await, []);
    assert_eq!(list(&*f.store, user.id, build::moment(99_999)).await, []);
}

pub async fn every_walk_finds_the_same_sessions(f: Fixture) {
    let (user, other) = (build::user(1), build::user(2));
    insert(&*f.store, &[user.clone(), other.clone()]).await;
    let mut sessions: Vec<_> =
        (0..20).map(|n| Session { created_at: build::moment(n / 4), ..build::session(&user, n) }).collect();
    insert_sessions(&*f.store, &sessions).await;
    insert_sessions(&*f.store, &[build::session(&other, 30)]).await;
    sessions.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.id)));
    let now = build::moment(40);
    let list = async |page: Page| f.store.read().await.unwrap().list_sessions(user.id, now, page).await.unwrap();
    check_walks(list, Session::position, &sessions, "sessions").await;
}

pub async fn a_use_moves_only_forward(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let [busy, idle] = [build::session(&user, 1), build::session(&user, 2)];
    insert_sessions(&*f.store, &[busy.clone(), idle.clone()]).await;
    let unknown = (0..1_200).map(|n| (build::session(&user, n + 100).id, build::moment(n)));
    let known = [(busy.id, 30), (busy.id, 50), (busy.id, 40), (idle.id, 1)];
    let known = known.map(|(id, second)| (id, build::moment(second)));
    for noted in [unknown.chain(known).collect(), vec![(busy.id, build::moment(49))], vec![]] {
        let mut tx = f.store.write().await.unwrap();
        tx.touch_sessions(&noted).await.unwrap();
        tx.commit().await.unwrap();
    }
    let expected = Session { last_used_at: build::moment(50), ..busy };
    assert_eq!(list(&*f.store, user.id, build::moment(60)).await, [idle, expected]);
}

pub async fn the_longest_past_are_removed_first(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    // Neither in the order of their making nor of their ids.
    let sessions = [40, 10, 50, 20, 30].map(build::moment);
    let sessions: Vec<_> = (1..)
        .zip(sessions)
        .map(|(n, idle_expires_at)| Session { idle_expires_at, ..build::session(&user, n) })
        .collect();
    insert_sessions(&*f.store, &sessions).await;
    assert_eq!(remove(&*f.store, 9, 9).await, 0);
    assert_eq!(remove(&*f.store, 40, 3).await, 3);
    assert_eq!(left(&*f.store, &sessions).await, [0, 2]);
    assert_eq!(remove(&*f.store, 40, 3).await, 1, "what ends now is past its end");
    assert_eq!(left(&*f.store, &sessions).await, [2]);
    assert_eq!(remove(&*f.store, 40, 3).await, 0);
}

pub async fn an_ended_session_stays_until_its_idle_end(f: Fixture) {
    let user = build::user(1);
    let session = build::session(&user, 1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    insert_sessions(&*f.store, std::slice::from_ref(&session)).await;
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.end_session(session.id, EndReason::Revoked, build::moment(2)).await.unwrap().is_some());
    tx.commit().await.unwrap();
    assert_eq!(remove(&*f.store, 1_800, 9).await, 0);
    assert!(state(&*f.store, session.id).await.unwrap().is_ended);
    assert_eq!(remove(&*f.store, 1_801, 9).await, 1);
    assert_eq!(state(&*f.store, session.id).await, None);
}

/// The live sessions of a user, of which there are no more than fit on a page.
async fn list(store: &dyn Store, user: UserId, now: Timestamp) -> Vec<Session> {
    let mut read = store.read().await.unwrap();
    let listed = read.list_sessions(user, now, Page::new(Some(PAGE_MAX), None, None).unwrap()).await.unwrap();
    assert_eq!(read.count_sessions(user, now).await.unwrap(), listed.len() as u64);
    listed
}

async fn remove(store: &dyn Store, second: u32, limit: u32) -> u64 {
    let mut tx = store.write().await.unwrap();
    let removed = tx.remove_expired_sessions(build::moment(second), limit).await.unwrap();
    tx.commit().await.unwrap();
    removed
}

/// Which of the sessions are still there, by their place.
async fn left(store: &dyn Store, sessions: &[Session]) -> Vec<usize> {
    let mut left = Vec::new();
    for (at, session) in sessions.iter().enumerate() {
        if state(store, session.id).await.is_some() {
            left.push(at);
        }
    }
    left
}

async fn insert_sessions(store: &dyn Store, sessions: &[Session]) {
    let mut tx = store.write().await.unwrap();
    for session in sessions {
        tx.insert_session(session).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn state(store: &dyn Store, id: SessionId) -> Option<SessionState> {
    let in_place = store.read().await.unwrap().session_state(id).await.unwrap();
    let in_snapshot = store.snapshot().await.unwrap().session_state(id).await.unwrap();
    assert_eq!(in_place, in_snapshot);
    in_place
}
