//! Sessions.

use std::net::IpAddr;

use denizen_domain::access::Origin;
use denizen_domain::id::SessionId;
use denizen_domain::roles::RoleName;
use denizen_domain::sessions::store::Rotation;
use denizen_domain::sessions::{EndReason, Session, SessionState};
use denizen_domain::store::Store;
use denizen_domain::users::{Status, User};

use super::insert;
use crate::{Fixture, build};

pub async fn the_state_follows_the_user(f: Fixture) {
    let user = build::user(1);
    let address: IpAddr = "2001:db8::1".parse().unwrap();
    let origin = Origin { address: Some(address), user_agent: Some("Ünïcode/1.0 ".repeat(20)) };
    let session = Session { origin, ..build::session(&user, 1) };
    insert(&*f.store, std::slice::from_ref(&user)).await;
    insert_sessions(&*f.store, std::slice::from_ref(&session)).await;

    let fresh = SessionState {
        user_id: user.id,
        role: RoleName::user(),
        status: Status::Active,
        generation: 0,
        refreshed_at: session.refreshed_at,
        idle_expires_at: session.idle_expires_at,
        expires_at: session.expires_at,
        is_ended: false,
    };
    assert_eq!(state(&*f.store, session.id).await, Some(fresh.clone()));
    assert_eq!(state(&*f.store, build::session(&user, 2).id).await, None);

    let mut tx = f.store.write().await.unwrap();
    let changed = User { role: RoleName::admin(), status: Status::Disabled, version: 2, ..user };
    assert!(tx.update_user(&changed).await.unwrap());
    tx.commit().await.unwrap();
    let expected = SessionState { role: RoleName::admin(), status: Status::Disabled, ..fresh };
    assert_eq!(state(&*f.store, session.id).await, Some(expected.clone()));

    let mut tx = f.store.write().await.unwrap();
    assert!(tx.end_session(session.id, EndReason::SignedOut, build::moment(2)).await.unwrap());
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
    assert!(tx.end_session(a.id, EndReason::SignedOut, at).await.unwrap());
    assert!(!tx.end_session(a.id, EndReason::UserDisabled, at).await.unwrap(), "over already");
    assert!(!tx.end_session(expired.id, EndReason::SignedOut, at).await.unwrap(), "expired");
    assert!(!tx.end_session(build::session(&user, 99).id, EndReason::SignedOut, at).await.unwrap(), "unknown");
    assert_eq!(tx.end_user_sessions(user.id, EndReason::UserDisabled, at).await.unwrap(), 2);
    assert_eq!(tx.end_user_sessions(user.id, EndReason::UserDisabled, at).await.unwrap(), 0);
    tx.commit().await.unwrap();

    for ended in [&a, &b, &c] {
        assert!(state(&*f.store, ended.id).await.unwrap().is_ended);
    }
    assert!(!state(&*f.store, expired.id).await.unwrap().is_ended);
    assert!(!state(&*f.store, theirs.id).await.unwrap().is_ended);
}

pub async fn the_kept_session_lives(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let sessions: Vec<_> = (0..4).map(|n| build::session(&user, n)).collect();
    insert_sessions(&*f.store, &sessions).await;

    let mut tx = f.store.write().await.unwrap();
    let at = build::moment(10);
    let keep = sessions[1].id;
    assert_eq!(tx.end_other_sessions(user.id, keep, EndReason::PasswordChanged, at).await.unwrap(), 3);
    assert_eq!(tx.end_other_sessions(user.id, keep, EndReason::PasswordChanged, at).await.unwrap(), 0);
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
    assert!(tx.end_session(ended.id, EndReason::SignedOut, build::moment(9)).await.unwrap());
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
