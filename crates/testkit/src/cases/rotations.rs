//! Rotations of sessions as a refresh makes them: the step, and what is found.

use denizen_domain::access::Permissions;
use denizen_domain::sessions::store::{Rotated, Rotation};
use denizen_domain::sessions::{EndReason, Session, SessionState};
use denizen_domain::store::Store;
use denizen_domain::users::{DisplayName, Status, User};
use tokio::task::JoinSet;

use super::insert;
use crate::{Fixture, build};

pub async fn session_that_is_over_is_found_and_not_rotated(f: Fixture) {
    let user = build::user(1);
    let [ended, idle, expired, last] = [
        build::session(&user, 1),
        Session { idle_expires_at: build::moment(10), ..build::session(&user, 2) },
        Session { expires_at: build::moment(10), ..build::session(&user, 3) },
        Session { idle_expires_at: build::moment(11), expires_at: build::moment(11), ..build::session(&user, 4) },
    ];
    add(&f, &user, &[&ended, &idle, &expired, &last]).await;
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.end_session(ended.id, EndReason::SignedOut, build::moment(9)).await.unwrap().is_some());
    tx.commit().await.unwrap();
    for session in [&ended, &idle, &expired] {
        unchanged(&f, &rotation(session, 0), &user).await;
    }
    assert!(f.store.rotate_session(&rotation(&last, 0)).await.unwrap().is_rotated, "it ends later");
}

pub async fn generation_that_is_over_or_to_come_is_not_rotated(f: Fixture) {
    let user = build::user(1);
    let session = build::session(&user, 1);
    add(&f, &user, &[&session]).await;
    for generation in 0..3 {
        assert!(f.store.rotate_session(&rotation(&session, generation)).await.unwrap().is_rotated);
    }
    for generation in [0, 1, 2, 4, 99, -1, i64::MAX, i64::MIN] {
        let state = unchanged(&f, &rotation(&session, generation), &user).await;
        assert_eq!(state.generation, 3);
    }
    assert!(f.store.rotate_session(&rotation(&session, 3)).await.unwrap().is_rotated);
}

pub async fn unknown_session_is_not_found(f: Fixture) {
    let user = build::user(1);
    let session = build::session(&user, 1);
    let nothing = Rotated { is_rotated: false, found: None };
    assert_eq!(f.store.rotate_session(&rotation(&session, 0)).await.unwrap(), nothing);
    add(&f, &user, &[&session]).await;
    assert!(f.store.rotate_session(&rotation(&session, 0)).await.unwrap().is_rotated);
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.delete_user(user.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(f.store.rotate_session(&rotation(&session, 1)).await.unwrap(), nothing, "it goes with its user");
}

pub async fn rotation_shows_what_its_user_has_become(f: Fixture) {
    let user = build::user(1);
    let session = build::session(&user, 1);
    add(&f, &user, &[&session]).await;
    let role = build::role(1);
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.insert_role(&role).await.unwrap());
    tx.commit().await.unwrap();
    let renamed = User { name: DisplayName::from_stored("Renamed".to_owned()), version: 2, ..user.clone() };
    let promoted = User { role: role.name.clone(), version: 3, ..renamed.clone() };
    let disabled = User { status: Status::Disabled, version: 4, ..promoted.clone() };
    let nowhere = User { role: build::role(2).name, version: 5, ..disabled.clone() };
    for (generation, (user, permissions)) in (0..).zip([
        (user, Permissions::NONE),
        (renamed, Permissions::NONE),
        (promoted, role.permissions),
        // Whether the user may still refresh is decided by the state that is found.
        (disabled, role.permissions),
        (nowhere, Permissions::NONE),
    ]) {
        if generation > 0 {
            let mut tx = f.store.write().await.unwrap();
            assert!(tx.update_user(&user).await.unwrap());
            tx.commit().await.unwrap();
        }
        let rotation = rotation(&session, generation);
        let Rotated { is_rotated, found } = f.store.rotate_session(&rotation).await.unwrap();
        let (state, found) = found.unwrap();
        assert!(is_rotated);
        assert_eq!(found, user);
        assert_eq!((&state.role, state.status, state.permissions), (&user.role, user.status, permissions));
        assert_eq!((state.generation, state.refreshed_at), (generation + 1, rotation.at));
        assert_eq!(state.is_live(rotation.at), user.status == Status::Active, "{state:?}");
        unchanged(&f, &rotation, &user).await;
    }
}

pub async fn of_fifty_rotations_of_one_generation_one_is_made(f: Fixture) {
    let user = build::user(1);
    let session = build::session(&user, 1);
    add(&f, &user, &[&session]).await;
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let (store, rotation) = (f.store.clone(), rotation(&session, 0));
        tasks.spawn(async move { store.rotate_session(&rotation).await.unwrap() });
    }
    let rotated = tasks.join_all().await;
    assert_eq!(rotated.iter().filter(|rotated| rotated.is_rotated).count(), 1);
    for Rotated { found, .. } in rotated {
        assert_eq!(found.unwrap().0.generation, 1, "all see the step that was made");
    }
}

pub async fn rotation_waits_for_the_end_of_its_session(f: Fixture) {
    let user = build::user(1);
    let session = build::session(&user, 1);
    add(&f, &user, &[&session]).await;
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.end_session(session.id, EndReason::Revoked, build::moment(9)).await.unwrap().is_some());
    let (store, step) = (f.store.clone(), rotation(&session, 0));
    let task = tokio::spawn(async move { store.rotate_session(&step).await.unwrap() });
    tx.commit().await.unwrap();
    let Rotated { is_rotated, found } = task.await.unwrap();
    assert!(!is_rotated);
    assert!(found.unwrap().0.is_ended);
}

/// Makes a rotation that must not be made, and checks that it finds the session and its user as they are.
async fn unchanged(f: &Fixture, rotation: &Rotation, user: &User) -> SessionState {
    let before = state(&*f.store, rotation).await;
    let Rotated { is_rotated, found } = f.store.rotate_session(rotation).await.unwrap();
    assert!(!is_rotated, "{rotation:?}");
    assert_eq!(found, Some((before.clone(), user.clone())), "{rotation:?}");
    assert_eq!(state(&*f.store, rotation).await, before, "{rotation:?}");
    before
}

async fn state(store: &dyn Store, rotation: &Rotation) -> SessionState {
    store.read().await.unwrap().session_state(rotation.id).await.unwrap().unwrap()
}

/// The step from a generation, at the tenth second.
fn rotation(session: &Session, from_generation: i64) -> Rotation {
    Rotation { id: session.id, from_generation, at: build::moment(10), idle_expires_at: build::moment(900) }
}

async fn add(f: &Fixture, user: &User, sessions: &[&Session]) {
    insert(&*f.store, std::slice::from_ref(user)).await;
    let mut tx = f.store.write().await.unwrap();
    for session in sessions {
        tx.insert_session(session).await.unwrap();
    }
    tx.commit().await.unwrap();
}
