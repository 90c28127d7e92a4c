//! Opening sessions: when it is refused, and everything that it changes when it is not.

use denizen_domain::access::Permissions;
use denizen_domain::budgets::store::{Forgiving, Spending};
use denizen_domain::budgets::{BudgetKey, Patience};
use denizen_domain::credentials::PasswordHash;
use denizen_domain::factors::{Standing, TotpFactor};
use denizen_domain::id::OneTimeTokenId;
use denizen_domain::one_time::{OneTimeToken, Purpose};
use denizen_domain::roles::{Role, SecondFactorPolicy};
use denizen_domain::sessions::store::{Displacement, Opened, Opening};
use denizen_domain::sessions::{EndReason, Session};
use denizen_domain::store::Store;
use denizen_domain::users::{Status, User};
use denizen_domain::value::Value;
use tokio::task::JoinSet;

use super::{find, insert};
use crate::{Fixture, build};

const HASH: &str = "a hash";
const RENEWED: &str = "the same password, hashed again";
const PATIENCE: Patience = Patience { free: 1, delay_s: 60, delay_max_s: 60, forgotten_s: 600 };

pub async fn unknown_user_is_refused(f: Fixture) {
    assert_eq!(f.store.open_session(&opening(2)).await.unwrap(), Opened::Refused);
    assert_eq!(f.store.read().await.unwrap().session_state(opening(2).session.id).await.unwrap(), None);
    assert_eq!(events(&*f.store).await, 0);
}

pub async fn deleted_user_is_refused(f: Fixture) {
    signed_in(&f).await;
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.delete_user(build::user(1).id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(f.store.open_session(&opening(2)).await.unwrap(), Opened::Refused);
    assert_eq!(f.store.read().await.unwrap().session_state(opening(2).session.id).await.unwrap(), None);
    assert_eq!(events(&*f.store).await, 0);
}

pub async fn only_active_users_open_sessions(f: Fixture) {
    signed_in(&f).await;
    for (version, &status) in (2..).zip(Status::ALL) {
        if status == Status::Active {
            continue;
        }
        update(&*f.store, &User { status, version, ..build::user(1) }).await;
        refused(&f, Opened::Refused, HASH, status.as_str()).await;
    }
    update(&*f.store, &User { version: 9, ..build::user(1) }).await;
    assert!(matches!(f.store.open_session(&opening(2)).await.unwrap(), Opened::Session(_)));
}

pub async fn another_password_by_now_is_refused(f: Fixture) {
    signed_in(&f).await;
    for other in ["another hash", "A HASH", "a hash ", "a has"] {
        set_password(&*f.store, other).await;
        refused(&f, Opened::Refused, other, other).await;
    }
    let mut tx = f.store.write().await.unwrap();
    tx.remove_password(build::user(1).id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(f.store.open_session(&opening(2)).await.unwrap(), Opened::Refused, "no password");
    assert_eq!(password(&*f.store).await, None);
}

pub async fn second_factor_that_is_owed_is_named(f: Fixture) {
    signed_in(&f).await;
    let role = build::role(1);
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.insert_role(&Role { second_factor: SecondFactorPolicy::Required, ..role.clone() }).await.unwrap());
    tx.commit().await.unwrap();
    update(&*f.store, &User { role: role.name.clone(), version: 2, ..build::user(1) }).await;
    refused(&f, Opened::Owes(Standing { is_required: true, ..Standing::default() }), HASH, "required").await;

    let mut tx = f.store.write().await.unwrap();
    assert!(tx.put_totp(&factor()).await.unwrap());
    tx.commit().await.unwrap();
    refused(&f, Opened::Owes(Standing { is_required: true, ..Standing::default() }), HASH, "not confirmed").await;

    let mut tx = f.store.write().await.unwrap();
    assert!(tx.confirm_totp(build::user(1).id, factor().created_at, 7, build::moment(60)).await.unwrap());
    tx.commit().await.unwrap();
    refused(&f, Opened::Owes(Standing { has_totp: true, is_required: true, ..Standing::default() }), HASH, "confirmed")
        .await;

    let mut tx = f.store.write().await.unwrap();
    tx.update_role(&Role { version: 2, ..role }).await.unwrap();
    tx.commit().await.unwrap();
    refused(&f, Opened::Owes(Standing { has_totp: true, ..Standing::default() }), HASH, "optional").await;
}

pub async fn wrong_password_does_not_name_the_second_factor(f: Fixture) {
    signed_in(&f).await;
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.put_totp(&factor()).await.unwrap());
    assert!(tx.confirm_totp(build::user(1).id, factor().created_at, 7, build::moment(60)).await.unwrap());
    tx.commit().await.unwrap();
    set_password(&*f.store, "another hash").await;
    refused(&f, Opened::Refused, "another hash", "another password").await;
}

pub async fn unconfirmed_factor_is_not_owed(f: Fixture) {
    signed_in(&f).await;
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.put_totp(&factor()).await.unwrap());
    tx.commit().await.unwrap();
    assert!(matches!(f.store.open_session(&opening(2)).await.unwrap(), Opened::Session(_)));
}

pub async fn opening_changes_everything_at_once(f: Fixture) {
    signed_in(&f).await;
    let role = build::role(1);
    let mut tx = f.store.write().await.unwrap();
    assert!(tx.insert_role(&role).await.unwrap());
    tx.commit().await.unwrap();
    let user = User { role: role.name.clone(), version: 2, ..build::user(1) };
    update(&*f.store, &user).await;
    let session = opening(2).session;

    let opened = f.store.open_session(&opening(2)).await.unwrap();
    assert_eq!(opened, Opened::Session(Box::new((user.clone(), role.permissions))), "the user as before");
    assert_ne!(role.permissions, Permissions::NONE);
    let state = f.store.read().await.unwrap().session_state(session.id).await.unwrap().unwrap();
    assert_eq!((state.user_id, state.generation, state.is_ended), (user.id, 0, false));
    assert_eq!((state.expires_at, state.permissions), (session.expires_at, role.permissions));
    let expected = User { last_sign_in_at: Some(session.created_at), ..user };
    assert_eq!(find(&*f.store, expected.id).await, Some(expected));
    assert_eq!(password(&*f.store).await.as_deref(), Some(RENEWED));
    assert!(!is_blocked(&*f.store).await);
    let before = f.store.read().await.unwrap().session_state(first_session().id).await.unwrap().unwrap();
    assert!(before.is_ended, "the oldest session beyond the limit");
    assert_eq!(email_change(&*f.store).await, None, "the session that asked for it has ended");
    assert_eq!(events(&*f.store).await, 2);
    let log = f.store.read().await.unwrap().events_between(0, i64::MAX, 10).await.unwrap();
    let ended = Value::String(first_session().id.to_string());
    assert_eq!(log.iter().filter(|event| event.data.get("session_id") == Some(&ended)).count(), 1);
}

pub async fn password_that_is_replaced_opens_one_session(f: Fixture) {
    signed_in(&f).await;
    let mut tasks = JoinSet::new();
    for n in 2..22 {
        let store = f.store.clone();
        let mut opening = opening(n);
        opening.displacement.keep = 100;
        tasks.spawn(async move { store.open_session(&opening).await.unwrap() });
    }
    let (opened, refused): (Vec<_>, Vec<_>) =
        tasks.join_all().await.into_iter().partition(|opened| matches!(opened, Opened::Session(_)));
    assert_eq!(opened.len(), 1, "the password that the others proved is another by now");
    assert!(refused.iter().all(|refused| *refused == Opened::Refused));
    assert_eq!(password(&*f.store).await.as_deref(), Some(RENEWED));
    assert_eq!(events(&*f.store).await, 1);
}

pub async fn opening_waits_for_a_change_of_its_user(f: Fixture) {
    signed_in(&f).await;
    let mut tx = f.store.write().await.unwrap();
    let user = tx.lock_user(build::user(1).id).await.unwrap().unwrap();
    let store = f.store.clone();
    let task = tokio::spawn(async move { store.open_session(&opening(2)).await.unwrap() });
    assert!(tx.update_user(&User { status: Status::Disabled, version: 2, ..user }).await.unwrap());
    assert_eq!(
        tx.end_user_sessions(build::user(1).id, EndReason::UserDisabled, build::moment(3)).await.unwrap().len(),
        1
    );
    tx.commit().await.unwrap();
    assert_eq!(task.await.unwrap(), Opened::Refused);
    assert_eq!(f.store.read().await.unwrap().session_state(opening(2).session.id).await.unwrap(), None);
}

/// Tries to open a session of the user who is [signed in](signed_in), and checks that nothing has changed.
async fn refused(f: &Fixture, expected: Opened, hash: &str, what: &str) {
    let before = find(&*f.store, build::user(1).id).await;
    assert_eq!(f.store.open_session(&opening(2)).await.unwrap(), expected, "{what}");
    assert_eq!(find(&*f.store, build::user(1).id).await, before, "{what}");
    assert_eq!(password(&*f.store).await.as_deref(), Some(hash), "{what}");
    let mut read = f.store.read().await.unwrap();
    assert_eq!(read.session_state(opening(2).session.id).await.unwrap(), None, "{what}");
    assert!(!read.session_state(first_session().id).await.unwrap().unwrap().is_ended, "{what}");
    drop(read);
    assert!(email_change(&*f.store).await.is_some(), "{what}");
    assert!(is_blocked(&*f.store).await, "{what}");
    assert_eq!(events(&*f.store).await, 0, "{what}");
}

/// Adds a user with a password, a session, an address change that it asked for, and a budget that is used up.
async fn signed_in(f: &Fixture) {
    insert(&*f.store, &[build::user(1)]).await;
    set_password(&*f.store, HASH).await;
    let mut tx = f.store.write().await.unwrap();
    tx.insert_session(&first_session()).await.unwrap();
    tx.put_one_time_token(&change()).await.unwrap();
    tx.commit().await.unwrap();
    let spending = Spending { key: key(), patience: PATIENCE };
    assert_eq!(f.store.spend_budgets(&[spending], build::moment(0)).await.unwrap(), None);
    assert!(is_blocked(&*f.store).await);
}

/// Opens the `n`th session of the user and ends all others.
fn opening(n: u32) -> Opening {
    Opening {
        session: build::session(&build::user(1), n),
        proven: PasswordHash::from_encoded(HASH.to_owned()),
        renewed: Some(PasswordHash::from_encoded(RENEWED.to_owned())),
        forgiven: vec![Forgiving::Whole(key())],
        event: build::event(n * 10),
        displacement: Displacement { keep: 1, events: [build::event(n * 10 + 1), build::event(n * 10 + 2)] },
    }
}

fn first_session() -> Session {
    build::session(&build::user(1), 1)
}

fn change() -> OneTimeToken {
    OneTimeToken {
        id: OneTimeTokenId::from_uuid(uuid::Uuid::from_u128(1)),
        user_id: build::user(1).id,
        purpose: Purpose::EmailChange,
        email: build::user(2).email,
        created_at: build::moment(1),
        expires_at: build::moment(3_600),
        session_id: Some(first_session().id),
    }
}

fn factor() -> TotpFactor {
    TotpFactor {
        user_id: build::user(1).id,
        sealed_secret: vec![1; 40],
        created_at: build::moment(1),
        confirmed_at: None,
        last_step: 0,
    }
}

fn key() -> BudgetKey {
    BudgetKey::from_bytes([1; 32])
}

/// Whether the budget that opening a session gives back is used up. Spends one of it if it is not.
async fn is_blocked(store: &dyn Store) -> bool {
    let spending = Spending { key: key(), patience: PATIENCE };
    store.spend_budgets(&[spending], build::moment(1)).await.unwrap().is_some()
}

async fn email_change(store: &dyn Store) -> Option<OneTimeToken> {
    let mut read = store.read().await.unwrap();
    read.find_one_time_token(change().id, change().purpose, build::moment(2)).await.unwrap()
}

async fn set_password(store: &dyn Store, hash: &str) {
    let mut tx = store.write().await.unwrap();
    let hash = PasswordHash::from_encoded(hash.to_owned());
    tx.set_password(build::user(1).id, &hash, build::EPOCH).await.unwrap();
    tx.commit().await.unwrap();
}

async fn password(store: &dyn Store) -> Option<String> {
    let found = store.read().await.unwrap().find_password(build::user(1).id).await.unwrap();
    found.map(|hash| hash.expose().to_owned())
}

async fn update(store: &dyn Store, user: &User) {
    let mut tx = store.write().await.unwrap();
    assert!(tx.update_user(user).await.unwrap());
    tx.commit().await.unwrap();
}

/// How many events are in the log.
async fn events(store: &dyn Store) -> usize {
    store.seal_events().await.unwrap();
    store.read().await.unwrap().events_between(0, i64::MAX, 100).await.unwrap().len()
}
